"""Measures the engine on this machine."""
