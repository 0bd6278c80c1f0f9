"""Pixels in and out of the world: frames, sources, cameras, recordings, snapshots."""
