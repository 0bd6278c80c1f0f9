"""Where faces are: MediaPipe's detectors, small faces, and optical flow between looks."""
