"""When CenterFace looks at what of a moving picture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.detection.centerface import CenterFaceDetector
from desktop_app.vision.detection.far_faces import ODD, RARELY_S, WHOLE, FarFaceLooker
from desktop_app.vision.detection.optical_flow import small_grey
from desktop_app.vision.geometry import Box

RATE = 10
WIDTH, HEIGHT = 800, 520
ALL = {WHOLE, 0, 1, 2, 3}
"""Close views: the quarters."""
NEAR = Box(100, 80, 100, 100)

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def detector() -> Iterator[CenterFaceDetector]:
    with CenterFaceDetector() as opened:
        yield opened


def plain(x: int = 0, y: int = 0, side: int = 0) -> Picture:
    """Grey, with a white square."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    picture[y : y + side, x : x + side] = 255
    return picture


def looks(
    detector: CenterFaceDetector,
    show: Callable[[float], Picture],
    seconds: float,
    *,
    near: Sequence[Box] = (),
    lost_at: float = -1,
    doubtful: Collection[int] = (),
) -> list[tuple[float, set[int]]]:
    """When which views were looked at; a look counts when it is taken, two frames after it began."""
    taken = []
    with FarFaceLooker(detector, live=False) as looker:
        for at in (number / RATE for number in range(round(seconds * RATE))):
            picture, lost = show(at), {1} if at == lost_at else ()
            grey = partial(small_grey, picture)
            found = looker.go_on(picture, grey=grey, lost=lost)
            if looker.is_due(at):
                looker.begin(picture, at, grey=grey(), near=near, upright=True, doubtful=doubtful)
            if found is not None:
                taken.append((at, set(found.views)))
    return taken


def test_what_does_not_change_is_looked_at_once_and_then_rarely(detector: CenterFaceDetector) -> None:
    first, second = looks(detector, lambda _: plain(), RARELY_S + 2)
    assert first == (0.2, ALL)
    assert RARELY_S < second[0] < RARELY_S + 1.5


def test_where_something_has_appeared_is_looked_at_within_a_second(detector: CenterFaceDetector) -> None:
    _, *later = looks(detector, lambda at: plain(700, 100, 20 if at > 4 else 0), 7)
    ((at, views),) = later
    assert views == {WHOLE, 1}
    assert 4 < at < 5.2


def test_what_moves_about_a_near_face_is_its_head(detector: CenterFaceDetector) -> None:
    def moving(at: float) -> Picture:
        return plain(70 + round(10 * at), 180, 20)

    assert len(looks(detector, moving, 4, near=[NEAR])) == 1
    assert len(looks(detector, moving, 4)) > 2


def test_where_a_face_was_lost_is_looked_at_at_once(detector: CenterFaceDetector) -> None:
    _, *later = looks(detector, lambda _: plain(), 4, lost_at=2.5)
    ((at, views),) = later
    assert views == {1}
    assert 2.5 < at < 3.2


def test_where_a_face_is_in_doubt_is_looked_at_again_though_only_a_near_face_moves(
    detector: CenterFaceDetector,
) -> None:
    def moving(at: float) -> Picture:
        return plain(70 + round(10 * at), 180, 20)

    _, *later = looks(detector, moving, 4, near=[NEAR], doubtful={WHOLE})
    assert len(later) >= 3
    assert all(views == {WHOLE} for _, views in later)


@pytest.mark.slow
def test_where_everything_moves_few_close_views_are_looked_at(detector: CenterFaceDetector) -> None:
    taken = looks(detector, lambda at: np.full((HEIGHT, WIDTH, 3), 90 + round(370 * at) % 100, np.uint8), 12)
    assert taken[0][1] == taken[1][1] == ALL
    assert 12 <= sum(WHOLE in views for _, views in taken) <= 13
    close = [view for _, views in taken[2:] for view in views - {WHOLE}]
    assert len(ALL) <= len(close) <= 7
    assert set(close) == ALL - {WHOLE}


def test_live_one_view_at_a_time_is_looked_at_and_the_turned_one_without_faces_only(
    detector: CenterFaceDetector,
) -> None:
    with FarFaceLooker(detector, live=True) as looker:
        at, views = 0.0, list[frozenset[int]]()
        while len(views) <= len(ALL):
            at += 1 / RATE
            grey = partial(small_grey, plain())
            found = looker.go_on(plain(), grey=grey, lost=())
            if looker.is_due(at):
                looker.begin(plain(), at, grey=grey(), near=(), upright=False, doubtful=())
            views += [found.views] if found else []
    assert views == [*({one} for one in sorted(ALL)), {ODD}]
