"""Archives: many films and pictures become one dataset, on every core, and a run that was interrupted goes on."""
