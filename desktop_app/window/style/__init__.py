"""Colours, style sheet, icons, shared widgets and translations."""
