"""What a command owes to the terminal that it runs in: standard streams, signals, the end of its output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def fill_standard_streams() -> None:
    """Open what a caller closed (`2>&-`): the next file would get its number, and what libraries print with it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")


def say(sentence: str) -> None:
    """Print one line on standard error, if anything can be printed there.

    Names of files and answers of servers may hold line feeds and a terminal's commands, which are not passed on.
    """
    line = "".join(character if character.isprintable() else "�" for character in sentence)
    with suppress(OSError):
        print(f"agelens: {line}", file=sys.stderr)


def drop_output() -> None:
    """Throw away what is not printed yet, so that Python does not try it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let a polite kill and the end of the terminal do what Ctrl+C does: what was written is finished.

    Raises:
        KeyboardInterrupt: one of the signals came.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # One that is ignored stays so, as `nohup` wants it.
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
