"""Bars and menus around the picture."""
