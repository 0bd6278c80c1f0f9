"""Which threads go first where the processor's cores do not do for all."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

_STEPS: Final = 10
"""Of Linux' niceness: a thread that works in the background has a tenth of a core where another wants all of it."""


def work_in_background() -> None:
    """Let the calling thread, and those that it starts, yield to the others of the program from now on.

    On Linux only, where niceness is each thread's own; elsewhere it would be the whole program's, so nothing changes.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.nice(_STEPS)
