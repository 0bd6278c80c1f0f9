"""Standard streams, signals and broken pipes."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from desktop_app.stopping import StopRequest

EXIT_INTERRUPTED: Final = 130
# Closing the terminal, Ctrl+C, a polite kill, and Ctrl+Break on Windows.
_SIGNALS: Final = ("SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK")
_TICK_S: Final = 0.2
_PATIENCE_S: Final = 2.0
"""How long work may take to end that has nothing to finish."""
notes: Final = logging.getLogger("agelens")
"""What a command says beside its errors: `info` for everybody, `debug` for who asks for details."""


def fill_standard_streams() -> None:
    """Open what a caller closed (`2>&-`), and let no character stop what is printed.

    Without the first the next file would get the stream's number, and what libraries print with it. Characters that
    the terminal or file has no code for are printed as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: str) -> None:
    """Print one line on standard error, if anything can be printed there in good time.

    Names of files and answers of servers may hold line feeds and a terminal's commands, which are not passed on.
    """
    line = "".join(character if character.isprintable() else "�" for character in sentence)

    def write() -> None:
        with suppress(OSError, ValueError):
            print(f"agelens: {line}", file=sys.stderr, flush=True)

    _try(write)


class _Saying(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_notes(level: int) -> None:
    """Show what is noted from now on.

    Args:
        level: of `logging`; notes are of the level `INFO`, details of `DEBUG`.
    """
    notes.handlers, notes.propagate = [_Saying()], False
    # What configures logging for itself, as import-linter does, disables the loggers that it does not know.
    notes.disabled = False
    notes.setLevel(level)


def count_of(number: int, noun: str) -> str:
    """A number and what it counts, as "1 face" or "2 faces"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 0) -> list[str]:
    """Lines of a table.

    Args:
        head: names of the columns.
        rows: the cells.
        left: so many of the columns are aligned to the left, the others to the right.
    """
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(head), "  ".join("─" * width for width in widths), *map(line, rows)]


def _try(job: Callable[[], None]) -> None:
    """Do what may block: a stopped terminal and an unread pipe accept nothing."""
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)


def drop_output() -> None:
    """Throw away what is not printed yet, so that Python does not try it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leave(code: int) -> NoReturn:
    """End the process now, whatever other threads do; what was printed gets out if somebody takes it."""

    def flush() -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()

    _try(flush)
    os._exit(code)


def handle_signals(handler: Callable[[int, object], object]) -> None:
    """From here on, call a handler for every signal that asks for the end; one that is ignored stays so."""
    for number in _signals():
        signal.signal(number, handler)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let every signal that asks for the end do what Ctrl+C does in Python.

    The exception comes in the main thread, wherever that is. So what must not be torn, as the writing of a film, does
    not belong there: see `run_interruptibly`. A signal that is ignored stays so, as `nohup` wants it.

    Raises:
        KeyboardInterrupt: one of the signals came.
    """
    with _handling(_interrupt):
        yield


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _handling(handler: Callable[[int, object], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _signals()}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _signals() -> list[int]:
    """The signals to handle; none outside of the main thread, which alone can."""
    if threading.current_thread() is not threading.main_thread():
        return []
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def run_interruptibly(work: Callable[[StopRequest], None], *, has_begun: Callable[[], bool] = lambda: False) -> None:
    """Do work on a thread of its own, while this one only waits for it and for signals.

    So no signal tears what the work is in the middle of, and none has to wait for a call that hangs: the first one
    asks the work to end, the second one ends the process at once.

    Args:
        work: looks at the request that it is given between its steps.
        has_begun: whether the work has something to finish; otherwise little time is given to it.

    Raises:
        KeyboardInterrupt: a signal came; the work has ended or has nothing to finish.
    """
    stop, outcome = StopRequest(), Future[None]()

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    with ending_in_order():
        try:
            threading.Thread(target=run, name="work", daemon=True).start()
            _wait(outcome, lambda: True)
        except KeyboardInterrupt:
            stop.set()
            with _handling(lambda *_: leave(EXIT_INTERRUPTED)):
                futures.wait((outcome,), _PATIENCE_S)
                _wait(outcome, has_begun)
            if outcome.done():
                outcome.result()
            raise
    outcome.result()


def _wait(outcome: Future[None], worth_it: Callable[[], bool]) -> None:
    while worth_it() and not outcome.done():
        # In steps, because on Windows no signal reaches a thread that waits.
        futures.wait((outcome,), _TICK_S)


class ProgressLine:
    """A line on standard error that shows the progress of a command, drawn on a thread of its own.

    Work that reports here never waits for a terminal.

    Args:
        unit: what is counted, with a blank before it.
        hidden: show the sentences only.
    """

    def __init__(self, unit: str, *, hidden: bool = False) -> None:
        self._unit, self._hidden = unit, hidden
        self._lock = threading.Lock()
        self._state: tuple[int, int | None, str] = (0, None, "")
        self._lines: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
        self._thread.start()

    def show(self, done: int, total: int | None, note: str) -> None:
        """Show another state from now on."""
        with self._lock:
            self._state = (done, total, note)

    def add(self, line: str) -> None:
        """Note a sentence above the line."""
        with self._lock:
            self._lines.append(line)

    def close(self) -> None:
        """Draw for the last time, if that is possible in good time."""
        self._over.set()
        self._thread.join(_PATIENCE_S)

    def _draw(self) -> None:
        # Only commands need it: the window shall not wait for its import.
        from tqdm import tqdm

        with suppress(OSError, ValueError), tqdm(unit=self._unit, disable=self._hidden or None, file=sys.stderr) as bar:
            over = False
            while not over:
                over = self._over.wait(_TICK_S)
                with self._lock:
                    (done, bar.total, note), lines, self._lines = self._state, self._lines, []
                for line in lines:
                    with bar.external_write_mode(file=sys.stderr):
                        notes.info("%s", line)
                bar.set_postfix_str(note, refresh=False)
                bar.update(done - bar.n)
