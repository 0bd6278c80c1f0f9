"""Values of arguments: what a text on the command line means, or why it is refused."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from desktop_app.vision.geometry import Line


_MOST_JOBS: Final = 1024
PARTS: Final = {
    "boxes": "boxes",
    "numbers": "names",
    "ages": "ages",
    "genders": "genders",
    "confidences": "confidences",
}
"""What `--hide` can leave out, and the attribute of `OverlayStyle`."""


def none_if_empty(text: str) -> str | None:
    """A text, or None for an empty one."""
    return text or None


def file_name(text: str) -> Path:
    """The path of a file or folder."""
    # What an unset variable of a script leaves; as a path it would mean the present folder.
    if not text:
        raise argparse.ArgumentTypeError("the name of the file is empty")
    return Path(text)


def line_of(text: str) -> Line:
    """A line over the picture, from four shares of its width and height with commas between them."""
    from desktop_app.vision.geometry import Line

    try:
        line = Line(*map(float, text.split(",")))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers with commas between them") from None
    if not line.is_valid:
        raise argparse.ArgumentTypeError(f"{text!r} is too short, or not in the picture: its numbers must be 0 to 1")
    return line


def count_of_jobs(text: str) -> int:
    """A number of processes."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_JOBS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {_MOST_JOBS}")
    return int(text)


def moment(text: str) -> float:
    """Seconds, or minutes and seconds, or hours, minutes and seconds."""
    try:
        *larger, last = text.split(":")
        if len(larger) > 2 or not all(part.isascii() and part.isdecimal() for part in larger):
            raise ValueError
        seconds = float(last)
        if not 0 <= seconds < (60 if larger else float("inf")):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 90, 1:30 or 1:02:03") from None
    for place, part in enumerate(reversed(larger), 1):
        seconds += int(part) * 60**place
    return seconds


def interval(text: str) -> float:
    """A time from frame to frame, as `moment` but not 0."""
    seconds = moment(text)
    if not seconds:
        raise argparse.ArgumentTypeError("the time from frame to frame is 0")
    return seconds


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def parts(text: str) -> list[str]:
    """Parts of what is drawn, with commas between them; `labels` stands for all but boxes."""
    chosen = [part.strip() for part in text.split(",")]
    wrong = next((part for part in chosen if part not in (*PARTS, "labels")), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"{wrong!r} is not among {', '.join(PARTS)}, labels")
    return [part for one in chosen for part in (set(PARTS) - {"boxes"} if one == "labels" else {one})]


def positive(text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value
