from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.analytics.crossings import BAND, Crossings, LinePath, arrows
from desktop_app.analytics.visits import VisitLog
from desktop_app.vision.geometry import Box, Line
from tests.helpers.visitors import LABELS, track

WIDTH, HEIGHT, FACE = 400, 200, 20
UPRIGHT = Line(0.5, 0, 0.5, 1)
"""From top to bottom: forward is to the left."""
ACROSS = Line(0.25, 0.5, 0.75, 0.5)
"""The middle half of the picture, from left to right: forward is down."""
shares = st.integers(0, 97).map(lambda value: value / 97)
lines = st.builds(Line, shares, shares, shares, shares).filter(lambda line: line.is_valid)
# Numbers of which none is just on a line or at its end, where rounding decides.
paths = st.lists(
    st.tuples(
        st.integers(0, WIDTH - 1).map(lambda value: value + 0.3771),
        st.integers(0, HEIGHT - 1).map(lambda value: value + 0.7193),
    ),
    max_size=40,
)


def around(x: float, y: float) -> Box:
    return Box(x - FACE / 2, y - FACE / 2, FACE, FACE)


def crossed(line: Line, *places: tuple[float, float]) -> Crossings:
    path = LinePath()
    for x, y in places:
        path.move(line, around(x, y), WIDTH, HEIGHT)
    return path.crossings


def test_a_way_through_the_line_counts_in_its_direction() -> None:
    assert crossed(UPRIGHT, (250, 100), (230, 100), (190, 100), (150, 90)) == (1, 0)
    assert crossed(UPRIGHT, (150, 100), (250, 100)) == (0, 1)
    assert crossed(UPRIGHT, (150, 100), (250, 100), (150, 100), (250, 100)) == (1, 2)
    assert crossed(ACROSS, (200, 20), (200, 180)) == (1, 0)


def test_a_way_around_an_end_counts_not() -> None:
    assert crossed(ACROSS, (200, 20), (40, 20), (40, 180), (200, 180)) == (0, 0)
    # Nor does it spoil the next one.
    assert crossed(ACROSS, (200, 20), (40, 20), (40, 180), (200, 180), (200, 20)) == (0, 1)


def test_who_comes_into_view_on_the_line_crosses_it_only_later() -> None:
    assert crossed(UPRIGHT, (200, 100), (150, 100)) == (0, 0)
    assert crossed(UPRIGHT, (200, 100), (150, 100), (250, 100)) == (0, 1)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, HEIGHT)), max_size=60))
def test_who_trembles_on_the_line_crosses_nothing(places: list[tuple[float, float]]) -> None:
    standing = [(WIDTH / 2 + BAND * FACE * x, y) for x, y in places]
    assert crossed(UPRIGHT, *standing) == (0, 0)
    assert crossed(UPRIGHT, (300, 100), *standing, (100, 100)) == (1, 0)
    assert crossed(UPRIGHT, (300, 100), *standing, (300, 100)) == (0, 0)


@given(paths)
def test_a_line_through_the_whole_picture_is_crossed_by_turns(places: list[tuple[float, float]]) -> None:
    forward, backward = crossed(UPRIGHT, *places)
    firm = [x < WIDTH / 2 for x, _ in places if abs(x - WIDTH / 2) > BAND * FACE]
    changes = [(one, other) for one, other in pairwise(firm) if one != other]
    assert (forward, backward) == (changes.count((False, True)), changes.count((True, False)))


@given(lines, paths)
@settings(max_examples=200)
def test_a_line_drawn_from_its_other_end_has_its_directions_changed(
    line: Line, places: list[tuple[float, float]]
) -> None:
    forward, backward = crossed(line, *places)
    assert crossed(Line(line.x2, line.y2, line.x1, line.y1), *places) == (backward, forward)


@given(lines, paths)
def test_the_mirror_image_counts_the_same(line: Line, places: list[tuple[float, float]]) -> None:
    assert crossed(line.mirrored(), *((WIDTH - x, y) for x, y in places)) == crossed(line, *places)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (Line(0, 0.5, 1, 0.5), "↓↑"),
        (Line(0.5, 0, 0.5, 1), "←→"),
        (Line(1, 0.5, 0, 0.5), "↑↓"),
        (Line(0.5, 1, 0.5, 0), "→←"),
        (Line(0, 0, 1, 1), "↙↗"),
    ],
)
def test_arrows_point_where_a_crossing_goes(line: Line, shown: str) -> None:
    assert "".join(arrows(line)) == shown


def test_a_visit_knows_its_crossings() -> None:
    log = VisitLog([UPRIGHT])

    def see(frame: int, *places: float, mirrored: bool = False) -> None:
        faces = [track(index, box=around(x, 100)) for index, x in enumerate(places, 1)]
        log.add(frame, frame, "film.mp4", faces, {}, width=WIDTH, height=HEIGHT, mirrored=mirrored)

    see(0, 100, 300)
    see(1, 300, 300)
    assert [one.crossings for one in log.visits(LABELS)] == [((0, 1),), ((0, 0),)]
    # The picture is mirrored from now on: nobody moved.
    see(2, 100, 100, mirrored=True)
    assert [one.crossings for one in log.visits(LABELS)] == [((0, 1),), ((0, 0),)]
    log.use_lines([UPRIGHT, Line(0, 0.5, 1, 0.5)])
    assert [one.crossings for one in log.visits(LABELS)] == [((0, 1), (0, 0)), ((0, 0), (0, 0))]
    log.use_lines([ACROSS])
    assert [one.crossings for one in log.visits(LABELS)] == [((0, 0),), ((0, 0),)]
    log.use_lines([])
    see(3, 100, 100)
    assert [one.crossings for one in log.visits(LABELS)] == [(), ()]


def test_pictures_that_stand_alone_cross_nothing() -> None:
    log = VisitLog([UPRIGHT])
    for picture, x in enumerate((100, 300)):
        log.add(
            picture,
            picture,
            f"{picture}.png",
            [track(1, box=around(x, 100))],
            {},
            still=True,
            width=WIDTH,
            height=HEIGHT,
        )
    assert log.visits(LABELS)[0].crossings == ((0, 0),)
