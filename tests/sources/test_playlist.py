from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from desktop_app.engine.playback import Playback, PlaybackEvent
from desktop_app.sources.base import SourceError
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import classify_spec, join_files, open_source
from tests.helpers.films import write_plain_film


@pytest.fixture
def films(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_plain_film(tmp_path / "a.mp4", frames=3, width=64, height=48, rate=25),
        write_plain_film(tmp_path / "b.mp4", frames=2, width=96, height=64, rate=10),
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "p.png"
    cv2.imwrite(str(path), np.full((40, 50, 3), 90, np.uint8))
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no film")
    return path


def shown(frame: Frame | PlaybackEvent | None) -> tuple[int, int, tuple[int, int]]:
    """Entry and index of a frame, and the size of its picture."""
    assert isinstance(frame, Frame)
    height, width = frame.image.shape[:2]
    return frame.entry, frame.index, (width, height)


def test_films_and_pictures_follow_each_other_as_if_each_were_alone(films: tuple[Path, Path], picture: Path) -> None:
    paths = [films[1], picture, films[0], films[1]]
    spec = join_files(paths)
    assert classify_spec(spec) == "file"
    with open_source(spec) as source:
        assert source.info.entries == tuple(paths)
        assert (source.info.name, source.info.rate, source.info.frame_count) == ("b.mp4", 10, 2)
        assert source.info.title == "b.mp4, p.png, a.mp4, …"
        frames = list(iter(source.read, None))
        assert [shown(frame) for frame in frames] == [
            *((0, index, (96, 64)) for index in range(2)),
            (1, 0, (50, 40)),
            *((2, index, (64, 48)) for index in range(3)),
            *((3, index, (96, 64)) for index in range(2)),
        ]
        assert [frame.captured_at for frame in frames] == pytest.approx([0, 0.1, 0, 0, 0.04, 0.08, 0, 0.1])
        assert [frame.alone for frame in frames] == [False, False, True, *[False] * 5]
        source.choose(2)
        source.seek(1)
        assert (source.info.name, source.info.rate) == ("a.mp4", 25)
        assert shown(source.read()) == (2, 1, (64, 48))
        assert source.skip(5) == 1
        assert shown(source.read()) == (3, 0, (96, 64))
        assert source.notice is None


def test_what_cannot_be_read_is_skipped_in_either_direction_and_named(
    films: tuple[Path, Path], broken: Path, tmp_path: Path
) -> None:
    with open_source(join_files([films[0], broken, films[1]])) as source:
        assert [shown(frame)[0] for frame in iter(source.read, None)] == [0, 0, 0, 2, 2]
        said = str(source.notice)
        assert said.startswith("Skipped a file. Cannot open “broken.mp4”: ")
        source.choose(1)
        assert shown(source.read())[:2] == (0, 0)
        source.choose(1)
        assert shown(source.read())[:2] == (2, 0)
        assert str(source.notice) == said
    missing = tmp_path / "gone.avi"
    with open_source(join_files([missing, films[1], broken])) as source:
        assert [shown(frame)[0] for frame in iter(source.read, None)] == [1, 1]
        assert str(source.notice) == "Skipped 2 files that cannot be read: gone.avi, broken.mp4"
    with pytest.raises(SourceError, match=r"these 2 files: none can be read\. Cannot open “.*gone\.avi”"):
        open_source(join_files([missing, broken]))


def test_a_film_that_goes_away_while_it_is_played_is_left_for_the_next(films: tuple[Path, Path]) -> None:
    with open_source(join_files(films)) as source:
        assert shown(source.read())[:2] == (0, 0)
        films[0].unlink()
        source.seek(2)
        assert shown(source.read())[:2] == (1, 0)
        assert "a.mp4" in str(source.notice)


def test_a_long_list_opens_one_file_at_a_time(films: tuple[Path, Path], picture: Path) -> None:
    paths = [films[0], *[picture] * 199]
    with open_source(join_files(paths)) as source:
        paths[0].rename(paths[0].with_suffix(".moved"))
        source.choose(199)
        assert shown(source.read())[0] == 199
        assert source.read() is None
        source.close()
        source.choose(3)
        assert source.read() is None


def next_frame(playback: Playback, source: object) -> tuple[int, int, tuple[int, int]]:
    return shown(playback.next_event(source))  # type: ignore[arg-type]


def test_a_list_loops_as_a_whole_and_each_entry_is_a_jump(tmp_path: Path, picture: Path) -> None:
    # A sixteenth of a second for each frame: on a busy machine more of them would be skipped, as they should be.
    film = write_plain_film(tmp_path / "slow.mp4", frames=3, width=64, height=48, rate=1)
    playback = Playback(loop=True)
    playback.set_speed(16)
    with open_source(join_files([film, picture])) as source:
        assert [next_frame(playback, source)[:2] for _ in range(9)] == [(0, 0), (0, 1), (0, 2), (1, 0)] * 2 + [(0, 0)]
        assert playback.generation >= 4
        assert playback.skipped == 0
        playback.set_loop(False)
        assert [next_frame(playback, source)[:2] for _ in range(3)] == [(0, 1), (0, 2), (1, 0)]
        assert playback.next_event(source) is PlaybackEvent.ENDED
        playback.play()
        assert next_frame(playback, source)[:2] == (0, 0)


@pytest.mark.parametrize(
    ("go", "expected"),
    [
        (lambda playback: playback.choose(2), (2, 0)),
        (lambda playback: playback.seek(1), (1, 1)),
        (lambda playback: playback.step(), (1, 1)),
    ],
)
def test_a_paused_list_shows_what_is_chosen_and_stands_still(
    films: tuple[Path, Path], go: Callable[[Playback], None], expected: tuple[int, int]
) -> None:
    playback = Playback(paused=True)
    with open_source(join_files([films[0], films[1], films[0]])) as source:
        next_frame(playback, source)
        playback.choose(1)
        assert playback.position.entry == 1
        assert next_frame(playback, source)[:2] == (1, 0)
        go(playback)
        assert next_frame(playback, source)[:2] == expected
        position = playback.position
        assert (position.entry, position.index, position.paused) == (*expected, True)
        assert position.frame_count == (3 if position.entry == 2 else 2)
        assert len(position.entries) == 3


def test_chosen_quickly_one_after_the_other_each_counts(films: tuple[Path, Path]) -> None:
    playback = Playback()
    with open_source(join_files([films[0]] * 5)) as source:
        next_frame(playback, source)
        for _ in range(3):
            playback.choose(playback.position.entry + 1)
        assert next_frame(playback, source)[:2] == (3, 0)
