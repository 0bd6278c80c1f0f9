"""Metrics, evaluation through the app's pipeline, calibration and model cards."""
