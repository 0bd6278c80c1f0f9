"""Agelens: age group and perceived gender from live video, on the user's own machine."""

import os

# Read by OpenCV at its import: with it, Media Foundation opens cameras in half a minute on some Windows machines.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
