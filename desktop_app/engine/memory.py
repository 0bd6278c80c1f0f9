"""Gives the memory of pictures back to the system, where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import cache
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


@cache
def keep_few_arenas() -> None:
    """Let all threads share two of the GNU C library's heaps, from now on; no effect elsewhere.

    By default each new thread gets a heap of its own, which keeps up to 64 MB of freed pictures: a program whose
    threads come and go with each source grows by that much with each of them.
    """
    with suppress(OSError, AttributeError):
        _library().mallopt(_M_ARENA_MAX, _ARENAS)


def return_freed_memory() -> None:
    """Return to the system what was freed; no effect where the C library is not GNU's."""
    with suppress(OSError, AttributeError):
        _library().malloc_trim(0)


def _library() -> ctypes.CDLL:
    if not sys.platform.startswith("linux"):
        raise OSError("another C library")
    return ctypes.CDLL(None)
