"""Computer vision on arrays: no threads, no Qt, no files."""
