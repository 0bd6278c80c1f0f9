"""Shared code of the command-line tools: errors, exit codes, progress bars."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Final, TypeVar
from zipfile import BadZipFile

from tqdm import tqdm

from desktop_app.errors import AgelensError

Item = TypeVar("Item")

ARRAY_ERRORS: Final = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, RuntimeError, SyntaxError),
    *(BadZipFile, TokenError, zlib.error),
)
"""What NumPy, and the `zipfile` and `tokenize` below it, raise for a `.npy` or `.npz` that is missing or damaged."""


class ToolError(AgelensError):
    """A tool cannot do what its options say."""


def run_tool(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> int:
    """Run a tool.

    Args:
        main: takes the arguments (None: those of the process).
        arguments: what to hand to it.

    Returns:
        The exit code: 0 done, 2 with one line on stderr where the input cannot be used, 130 interrupted.
    """
    try:
        main(arguments)
    except AgelensError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"Cannot use {error.filename or 'a file'}: {error.strerror or error}. Check the path and the disk.\n"
        )
        return 2
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{missing_text(error.name or str(error))}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def missing_text(module: str) -> str:
    """What to say where a module is not installed."""
    what = {"torch": "PyTorch", "google": "protobuf", "google.protobuf": "protobuf"}.get(module, module)
    return f"Cannot run this tool: {what} is not installed. Install it with: uv sync --extra train"


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done, for work that must not be done in part.

    Raises:
        KeyboardInterrupt: after the block, where Ctrl-C was pressed meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


def progress(
    items: Iterable[Item], what: str, *, total: int | None = None, done: int = 0, quiet: bool = False
) -> tqdm[Item]:
    """A progress bar on stderr around some items; it hides itself where stderr is no terminal's.

    For a program that reads stderr, `AGELENS_PROGRESS=lines` in the environment has it print lines: `progress`, what
    is being done, how many are done, and of how many (0 where that is unknown), with tabs between them.

    Args:
        items: what is gone through.
        what: is being done.
        total: how many items there are; as many as `items` has by default.
        done: how many were done before.
        quiet: no bar.
    """
    if os.environ.get("AGELENS_PROGRESS") == "lines":
        return _ProgressLines(items, desc=what, total=total, initial=done, mininterval=0.3, disable=quiet)
    return tqdm(items, desc=what, total=total, initial=done, unit="", dynamic_ncols=True, disable=quiet or None)


class _ProgressLines(tqdm):  # type: ignore[type-arg]
    """Prints a line where a bar would be drawn anew."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002 - tqdm's names
        """Print how far it is."""
        sys.stderr.write(f"progress\t{self.desc}\t{self.n}\t{self.total or 0}\n")
        sys.stderr.flush()

    def clear(self, nolock: bool = False) -> None:
        """There is no bar to be cleared."""


def warn(text: str) -> None:
    """Say on stderr, above a progress bar, what went wrong, and continue."""
    tqdm.write(text, file=sys.stderr)


def positive(text: str) -> int:
    """A whole number of at least 1, as an option's `type`."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return number


def not_negative(text: str) -> int:
    """A whole number of at least 0, as an option's `type`."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} must be at least 0")
    return number


def positive_real(text: str) -> float:
    """A number above 0, as an option's `type`."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number above 0")
    return number


def not_negative_real(text: str) -> float:
    """A number of 0 or more, as an option's `type`."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be 0 or more")
    return number


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Guard a file that is there already.

    Raises:
        ToolError: it exists, and `--overwrite` was not given.
    """
    if path.exists() and not overwrite:
        raise ToolError(f"Cannot write {path}: it exists already. Choose another name, or add --overwrite.")
