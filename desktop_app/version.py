"""The version of the program."""

from __future__ import annotations


def program_version(unknown: str = "(source checkout)") -> str:
    """The version that is installed, or `unknown` where none is."""
    # Imported late: not every start asks for it.
    from importlib import metadata

    try:
        return metadata.version("agelens")
    except metadata.PackageNotFoundError:
        return unknown
