"""Time and threads between the sources and the front ends: no Qt."""
