"""Age group and perceived gender of face crops, and the label that is shown."""
