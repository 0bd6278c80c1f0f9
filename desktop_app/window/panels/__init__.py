"""Dock panels: faces, statistics, network view."""
