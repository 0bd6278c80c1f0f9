"""Everything Qt: the window and its bridge to the engine."""
