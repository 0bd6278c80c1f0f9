"""The one kind of error that is meant for the user's eyes."""

from __future__ import annotations


class AgelensError(Exception):
    """Something the user can act on; the message is one sentence: what is wrong and what to do."""
