"""Hides faces or whole pictures."""
