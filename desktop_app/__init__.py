"""Agelens: age group and perceived gender from live video, on the user's own machine."""

import os

# ONNX Runtime's own builds report to Microsoft unless this is set before they are loaded. Nothing of what is
# done here may leave the machine, so this is no default that the environment can change.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Read by OpenCV at its import: with hardware transforms, Media Foundation takes many seconds to open some cameras.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
# OpenCV's threads wait for each other by turning in a circle, which takes the cores from detection and inference.
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN", "0")
