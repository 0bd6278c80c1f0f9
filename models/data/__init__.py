"""Labelled data sets, prepared faces and batches."""
