"""Pixels in: cameras, files, pictures, folders, streams and the demo, behind one `Source` protocol."""
