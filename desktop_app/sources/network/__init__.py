"""Streams and pictures at network addresses."""
