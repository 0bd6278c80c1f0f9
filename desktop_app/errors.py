"""Base class of errors that are shown to the user."""

from __future__ import annotations


class AgelensError(Exception):
    """Something the user can act on; the message is one sentence: what is wrong and what to do."""
