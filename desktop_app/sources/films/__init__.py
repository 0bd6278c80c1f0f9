"""Video files and animated pictures: every frame with its media time."""
