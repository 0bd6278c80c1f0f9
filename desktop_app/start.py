"""The first thing that runs: from here on a signal ends the program as it is documented, also while it is imported."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the program with this process's arguments and exit."""
    if getattr(sys, "frozen", False):
        # Packed, the processes of `annotate --jobs` begin here, too.
        import multiprocessing

        multiprocessing.freeze_support()
    for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            # 130, see `desktop_app.terminal`; there is nothing to finish yet, and nothing to say it with.
            signal.signal(number, lambda *_: os._exit(130))
    from desktop_app.cli import run as run_command_line

    run_command_line()
