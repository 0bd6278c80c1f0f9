"""Time and threads between sources and front ends: no Qt."""
