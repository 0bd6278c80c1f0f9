"""Overlay: boxes, labels, landmarks and privacy."""
