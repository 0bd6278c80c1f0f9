"""The forms of a face's label, from all that is said of it to the number of its track alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_plates import BOLD, Colour, Plate, Run, Sprite, render_plate

WHITE: Final[Colour] = (255, 255, 255)
GREY: Final[Colour] = (205, 200, 196)


class Said(NamedTuple):
    """One word of a label.

    Attributes:
        text: the age group or the perceived gender.
        brief: the same in short.
        percent: its probability, None where that is not drawn.
        unsure: whether it is no plain answer.
    """

    text: str
    brief: str
    percent: int | None
    unsure: bool


@dataclass(frozen=True, slots=True)
class Forms:
    """What a label may look like, the longest form first.

    Attributes:
        plates: the forms.
        sizes: width and height of each in pixels.
        widths: of each with the widest words.
    """

    plates: tuple[Plate, ...]
    sizes: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]


@lru_cache(maxsize=512)
def label_forms(
    said: tuple[Said, ...],
    widest: tuple[Said, ...],
    waiting: bool,
    number: int | None,
    colour: Colour,
    canvas: tuple[int, int, int, int],
) -> Forms:
    """All forms of a label: in full, smaller, without percentages, in short, without the number, the number alone.

    Args:
        said: its words.
        widest: the widest words that could stand there.
        waiting: whether words are still to come.
        number: of the face's track, None where it is not drawn.
        colour: of the track, BGR.
        canvas: as `label_sizes` gives it.
    """
    plates, most = (_plates(words, waiting, number, colour, canvas) for words in (said, widest))
    widths = tuple(max(one.width, other.width) for one, other in zip(plates, most, strict=True))
    return Forms(plates, tuple((plate.width, plate.height) for plate in plates), widths)


def _plates(
    said: tuple[Said, ...], waiting: bool, number: int | None, colour: Colour, canvas: tuple[int, int, int, int]
) -> tuple[Plate, ...]:
    text, small, least, width = canvas
    chip = None if number is None else f"#{number}"
    full = _words(said, waiting)
    plain = _words(tuple(one._replace(percent=None) for one in said), waiting)
    brief = _brief_words(said, waiting)
    wanted = [(full, text, chip), (full, small, chip), (plain, small, chip), (brief, small, chip)]
    if chip is not None:
        wanted += [(brief, small, ""), ((), small, chip)]
    plates = [Plate((runs,) if runs else (), size, field, colour, least) for runs, size, field in wanted]
    # In a narrow picture rather a shorter form than text that is too small to read.
    return (*plates[:-1], _fitted(plates[-1], width))


def label_sizes(canvas: Canvas) -> tuple[int, int, int, int]:
    """What of a canvas decides on the look of its labels: sizes of text, and the width."""
    return canvas.text, canvas.small_text, canvas.least_text, canvas.width


@lru_cache(maxsize=256)
def label_sprite(plate: Plate) -> Sprite:
    """A label, drawn."""
    return render_plate(plate)


def fitted_sprite(plate: Plate, width: int) -> Sprite:
    """A plate, drawn with smaller text where it is wider than that many pixels."""
    return render_plate(_fitted(plate, width))


def _words(said: tuple[Said, ...], waiting: bool) -> tuple[Run, ...]:
    """Words with their percentages, or "…"; what is unsure is grey, as all that is no plain answer."""
    runs = [Run("…", WHITE, BOLD)] if waiting else []
    for number, (text, _, percent, unsure) in enumerate(said):
        runs += [Run("·", GREY, gap=0.3)] if number else []
        runs.append(Run(text, GREY if unsure else WHITE, BOLD, gap=0.3 if number else 0.0))
        if percent is not None:
            runs.append(Run(f"{percent}%", GREY, size=0.85, gap=0.3))
    return tuple(runs)


def _brief_words(said: tuple[Said, ...], waiting: bool) -> tuple[Run, ...]:
    if waiting:
        return _words(said, waiting)
    return tuple(
        Run(one.brief, GREY if one.unsure else WHITE, BOLD, gap=0.3 if number else 0.0)
        for number, one in enumerate(said)
    )


def _fitted(plate: Plate, width: int) -> Plate:
    """The plate, with smaller text where it is wider than the picture."""
    while plate.width > width and plate.text_size > 6:
        plate = dataclasses.replace(plate, text_size=plate.text_size - 1)
    return plate
