"""Parts of films, cameras and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.sources.base import SourceError
from desktop_app.sources.demo import DemoSource
from desktop_app.sources.excerpt import Excerpt, ExcerptSource
from desktop_app.sources.films.video_files import VideoFileSource
from desktop_app.sources.frame import Frame
from tests.helpers.counting_source import CountingSource
from tests.helpers.numbered_films import STEADY, UNEVEN, read_number, write_video


class CameraLike(CountingSource):
    """Live pictures, ten a second, by a clock that is far from 0."""

    def __init__(self) -> None:
        super().__init__(40, rate=10)
        self.info = replace(self.info, live=True)

    def read(self) -> Frame | None:
        frame = super().read()
        return frame and replace(frame, captured_at=frame.captured_at + 5000)


def expected(times: Sequence[float], excerpt: Excerpt) -> list[int]:
    """Indices of the frames that are due, by their definition."""
    chosen: list[int] = []
    end_s = float("inf") if excerpt.end_s is None else excerpt.end_s
    for index, time_s in enumerate(times):
        inside = excerpt.start_s <= time_s < end_s
        slot = (lambda at_s: int((at_s - excerpt.start_s) / excerpt.every_s + 1e-9)) if excerpt.every_s else None
        if inside and not (slot and chosen and slot(times[chosen[-1]]) == slot(time_s)):
            chosen.append(index)
    return chosen


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("times", [STEADY, [10 * time_s for time_s in UNEVEN]], ids=["brief", "long, uneven"])
@pytest.mark.parametrize(
    "excerpt",
    [Excerpt(), Excerpt(0.4, 1.2), Excerpt(13.3, 20), Excerpt(every_s=0.5), Excerpt(0.21, None, 11), Excerpt(0, 0.01)],
    ids=str,
)
def test_a_film_is_read_in_part(tmp_path: Path, suffix: str, times: list[float], excerpt: Excerpt) -> None:
    film = write_video(tmp_path / f"film{suffix}", times)
    with VideoFileSource(film) as whole:
        true_s = [frame.captured_at for frame in iter(whole.read, None)]
    if excerpt.start_s > true_s[-1]:
        with pytest.raises(SourceError, match=r"lasts .* Begin earlier"):
            ExcerptSource(VideoFileSource(film), excerpt)
        return
    with ExcerptSource(VideoFileSource(film), excerpt) as source:
        frames = list(iter(source.read, None))
    assert [frame.index for frame in frames] == expected(true_s, excerpt)
    assert [read_number(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert [frame.captured_at for frame in frames] == [true_s[frame.index] for frame in frames]
    assert source.is_over == (excerpt.end_s is not None and excerpt.end_s < true_s[-1])


def test_a_camera_is_read_from_its_first_picture_on() -> None:
    source = ExcerptSource(CameraLike(), Excerpt(0.5, 2, 0.4))
    frames = list(iter(source.read, None))
    assert [frame.index for frame in frames] == [5, 9, 13, 17]
    assert (source.zero_at, source.is_over) == (5000, True)


def test_the_demo_begins_late_at_once() -> None:
    with ExcerptSource(DemoSource(), Excerpt(15.0, 15.1)) as source:
        assert [frame.index for frame in iter(source.read, None)] == [450, 451, 452]


@pytest.mark.parametrize(
    ("excerpt", "count"),
    [(Excerpt(), 40), (Excerpt(1), 30), (Excerpt(1, 2), 10), (Excerpt(1, 60, 1), 3), (Excerpt(every_s=0.01), 40)],
)
def test_the_number_of_frames_is_told_ahead(excerpt: Excerpt, count: int) -> None:
    source = ExcerptSource(CountingSource(40, rate=10), excerpt)
    assert source.info.frame_count == count == len(list(iter(source.read, None)))
