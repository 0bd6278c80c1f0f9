"""Command line."""

from desktop_app.cli.program import main, run

__all__ = ["main", "run"]
