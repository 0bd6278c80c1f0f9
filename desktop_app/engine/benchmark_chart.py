"""Line charts as data, drawn as SVG or as pixels: what a benchmark needs, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

PANEL_WIDTH: Final = 460
PANEL_HEIGHT: Final = 360
PNG_SCALE: Final = 2
"""Pixels of a PNG to a unit of the drawing."""

_FONT_WEIGHT: Final = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 22, 64, 56
_INK: Final = "#1f2430"
_QUIET: Final = "#5b6372"
_GRID: Final = "#e3e6eb"
# Okabe and Ito's colours: told apart by people with any colour vision.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart: its name and its points."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A panel with lines.

    Attributes:
        title: what it shows.
        x_title: name and unit of the horizontal axis.
        y_title: name and unit of the vertical axis.
        series: the lines.
        x_ticks: values and texts of the horizontal axis.
        logarithmic: whether the vertical axis is, for values above 0.
        x_logarithmic: whether the horizontal axis is, for values above 0.
        percent: whether the values are shares, 0 to 1.
    """

    title: str
    x_title: str
    y_title: str
    series: Sequence[Series]
    x_ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False
    x_logarithmic: bool = False
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, in units of the drawing."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its base line."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: Anchor = "start"


Mark = Line | Dot | Text


def draw_svg(charts: Sequence[Chart]) -> str:
    """The charts side by side, as an SVG document."""
    width, height = PANEL_WIDTH * len(charts), PANEL_HEIGHT
    marks = "\n".join(_to_svg(mark) for mark in _lay_out(charts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n{marks}\n</svg>\n'
    )


def draw_picture(charts: Sequence[Chart]) -> NDArray[np.uint8]:
    """The charts side by side, as H×W×3 uint8, BGR."""
    size = PANEL_HEIGHT * PNG_SCALE, PANEL_WIDTH * len(charts) * PNG_SCALE, 3
    image = np.full(size, 255, np.uint8)
    font = cv2.FontFace("sans")
    for mark in _lay_out(charts):
        _paint(image, mark, font)
    return image


def _lay_out(charts: Sequence[Chart]) -> Iterator[Mark]:
    for number, chart in enumerate(charts):
        yield from _lay_out_panel(chart, number * PANEL_WIDTH)


def _lay_out_panel(chart: Chart, offset: float) -> Iterator[Mark]:
    left, right = offset + _LEFT, offset + PANEL_WIDTH - _RIGHT
    bottom = PANEL_HEIGHT - _BOTTOM
    ticks = _y_ticks(chart)
    x_at = _scale([x for x, _ in chart.x_ticks], left, right, margin=0.04, logarithmic=chart.x_logarithmic)
    y_at = _scale(ticks, bottom, _TOP, logarithmic=chart.logarithmic)
    yield Text(left, 24, chart.title, 15, _INK)
    for tick in ticks:
        yield Line(((left, y_at(tick)), (right, y_at(tick))), _GRID, 1)
        yield Text(left - 8, y_at(tick) + 4, f"{tick:.0%}" if chart.percent else f"{tick:g}", 11, _QUIET, "end")
    for value, text in _legible(chart.x_ticks, x_at):
        yield Text(x_at(value), bottom + 18, text, 11, _QUIET, "middle")
    yield Text((left + right) / 2, PANEL_HEIGHT - 14, chart.x_title, 12, _INK, "middle")
    yield Text(offset + 16, _TOP - 10, chart.y_title, 11, _QUIET)
    legend_x = right
    for index, series in reversed(list(enumerate(chart.series))):
        colour = _COLOURS[index % len(_COLOURS)]
        points = [(x_at(x), y_at(y)) for x, y in series.points]
        # Where lines lie on each other, the later one is seen on both sides of the earlier.
        yield Line(points, colour, 2.2 + 2.4 * index)
        yield from (Dot(x, y, 3.4, colour) for x, y in points)
        yield Text(legend_x, _TOP - 10, series.name, 11, _INK, "end")
        legend_x -= 6.2 * len(series.name) + 8
        yield Dot(legend_x, _TOP - 14, 3.4, colour)
        legend_x -= 14


def _scale(
    values: Sequence[float], start: float, end: float, *, margin: float = 0.0, logarithmic: bool = False
) -> Callable[[float], float]:
    """From values of an axis to places between its ends; `margin` is the share left free at either end."""
    warp: Callable[[float], float] = math.log10 if logarithmic else float
    low, high = warp(min(values)), warp(max(values))
    room = margin * (end - start)
    stretch = (end - start - 2 * room) / (high - low or 1.0)
    return lambda value: start + room + (warp(value) - low) * stretch


def _y_ticks(chart: Chart) -> list[float]:
    values = [y for series in chart.series for _, y in series.points]
    if chart.percent:
        return [0, 0.25, 0.5, 0.75, 1.0]
    if not chart.logarithmic:
        step = _nice_step(max(values, default=1.0))
        return [step * number for number in range(math.ceil(max(values, default=1.0) / step) + 1)]
    steps = [base * 10.0**power for power in range(-3, 7) for base in (1, 2, 5)]
    low = max(step for step in steps if step <= max(min(values), steps[0]))
    high = min(step for step in steps if step >= min(max(values), steps[-1]))
    return [step for step in steps if low <= step <= high]


def _nice_step(largest: float) -> float:
    """The step of 1, 2 or 5 times a power of ten that gives five ticks or so."""
    rough = max(largest, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)


def _legible(ticks: Sequence[tuple[float, str]], x_at: Callable[[float], float]) -> Iterator[tuple[float, str]]:
    """The ticks whose texts do not run into the one before."""
    free_from = -math.inf
    for value, text in ticks:
        half = 3.4 * len(text)
        if x_at(value) - half >= free_from:
            free_from = x_at(value) + half + 4
            yield value, text


def _to_svg(mark: Mark) -> str:
    match mark:
        case Line(points, colour, width):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        case Dot(x, y, radius, colour):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
        case Text(x, y, text, size, colour, anchor):
            place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
            return f"<text {place}>{escape(text)}</text>"


def _paint(image: NDArray[np.uint8], mark: Mark, font: cv2.FontFace) -> None:
    match mark:
        case Line(points, colour, width):
            corners = np.rint(np.array(points, np.float64) * PNG_SCALE).astype(np.int32)
            cv2.polylines(image, [corners], False, _bgr(colour), max(round(width * PNG_SCALE), 1), cv2.LINE_AA)
        case Dot(x, y, radius, colour):
            center = round(x * PNG_SCALE), round(y * PNG_SCALE)
            cv2.circle(image, center, round(radius * PNG_SCALE), _bgr(colour), cv2.FILLED, cv2.LINE_AA)
        case Text(x, y, text, size, colour, anchor):
            height = round(size * PNG_SCALE)
            box = cv2.getTextSize((0, 0), text, (0, 0), font, height, _FONT_WEIGHT)
            shift = {"start": 0.0, "middle": box[2] / 2, "end": float(box[2])}[anchor]
            origin = round(x * PNG_SCALE - shift), round(y * PNG_SCALE)
            cv2.putText(image, text, origin, _bgr(colour), font, height, _FONT_WEIGHT)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
