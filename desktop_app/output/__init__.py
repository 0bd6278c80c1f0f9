"""Files out: recordings, screenshots and tables of predictions."""
