"""Dialogs and the welcome page."""
