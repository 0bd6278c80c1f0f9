from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.sources.opening import open_source

LEVELS = [30, 80, 130, 180, 230]
DURATIONS_MS = [100, 200, 100, 300, 100]


def write_animation(path: Path) -> Path:
    frames = [Image.fromarray(np.full((48, 64, 3), level, np.uint8)) for level in LEVELS]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, loop=0)
    return path


@pytest.mark.parametrize("name", ["moves.gif", "moves.webp", "moves.png", "moves.apng", "moves.avif"])
def test_pictures_that_move_play_as_films(tmp_path: Path, name: str) -> None:
    with open_source(str(write_animation(tmp_path / name))) as source:
        info = source.info
        frames = list(iter(source.read, None))
        assert (info.kind, info.frame_count, info.width, info.height, info.live) == ("file", 5, 64, 48, False)
        assert [frame.index for frame in frames] == list(range(5))
        assert [frame.captured_at for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.4, 0.7])
        assert [int(frame.image.mean()) for frame in frames] == pytest.approx(LEVELS, abs=3)
        for index in (3, 1, 4, 0):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert frame.index == index
            assert frame.captured_at == pytest.approx(frames[index].captured_at)
            assert np.array_equal(frame.image, frames[index].image)
        source.seek(1)
        assert source.skip(10) == 4
        assert source.read() is None
        assert source.notice is None


def test_a_jump_into_an_animation_keeps_its_time(tmp_path: Path) -> None:
    with open_source(str(write_animation(tmp_path / "moves.webp"))) as source:
        source.seek(4)
        frame = source.read()
    assert frame is not None
    assert frame.index == 4
    assert frame.captured_at == pytest.approx(0.7)


def test_an_animation_without_a_suffix_is_found_by_its_content(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "moves.webp").rename(tmp_path / "download")
    with open_source(str(path)) as source:
        assert len(list(iter(source.read, None))) == 5


def test_an_animation_that_breaks_off_says_what_is_missing(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "moves.png")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"fdAT") + 8])
    with open_source(str(path)) as source:
        frames = list(iter(source.read, None))
        assert len(frames) == 4
        assert str(source.notice) == "“moves.png” is damaged: it lacks 1 picture."


def test_a_closed_animation_gives_nothing(tmp_path: Path) -> None:
    source = open_source(str(write_animation(tmp_path / "moves.webp")))
    source.close()
    source.close()
    assert source.read() is None
    assert source.skip(1) == 0
    source.seek(0)
    assert source.read() is None


def test_a_picture_that_stands_still_is_still_a_picture(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "still.webp")
    with open_source(str(tmp_path / "still.webp")) as source:
        assert (source.info.kind, source.info.frame_count) == ("image", 1)
