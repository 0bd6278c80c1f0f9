"""Filters, feature maps and occlusion maps of a network."""
