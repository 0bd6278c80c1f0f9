"""Pure functions and models on pictures: no threads, no Qt."""
