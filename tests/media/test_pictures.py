from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.media.base import SourceError
from desktop_app.media.pictures import FolderSource, ImageSource, list_images, load_image
from desktop_app.media.sources import open_source

# 128×64 pixels in two tiles, as iPhones write pictures; made with libheif.
HEIC = zlib.decompress(
    base64.b85decode(
        r"""c-nQ5F-yZh6vyA)rJA8?!3ssCs5mH2#ig5vb`kUwIB2{i_CeAfF-W^r!QIK(!C9T%+yuXgE-umzmHIA8Yc2T5<-Pm8f8Jf*1At{e"""
        r"""ZtJ>-3dlnAD<%%n@c~#j^kN56Tdli6l*OP?#V}z7bR7d3bU>0nz@VuZ1vLqRD9dz1Zv#&QzBFPbQl@Nsi~$@XHvD8~@(Z-_cvkBy"""
        r"""LKns$GiB=+s`3|#UpT8V4o6q%qK-8AH`J<0zKG}A%Z~2QGQZNIPxqKGvYRAP{)GN_uLm$EPN+&rvOF6Mj6fKLFi-iJONWwMyNpd_"""
        r"""?p7{yx9|I#4-LMUw+(tVFI%3He!9k9qNg=;?!0OSQ9}hS!ZR?{nYf<JRzYJ6ljhhqRfBcZ;c#r!dBLs)aO+A~IS{F%v18=<!^ycA"""
        r"""o+XXrNq?(hI?3V&d$daZcJ*WMb-d%sqkAi^{>Og+7eQis"""
    )
)
# Brighter to the right, darker below: every turn of it looks different.
RAMP = np.add.outer(np.arange(40, 0, -1) * 2, np.arange(0, 60) * 2).astype(np.uint8)


def write_picture(path: Path, image: NDArray[np.integer[Any]]) -> Path:
    encoded, data = cv2.imencode(path.suffix, image)
    assert encoded
    path.write_bytes(data.tobytes())
    return path


def grey_picture(level: int, width: int = 32, height: int = 24) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".avif", ".jp2"])
def test_formats_come_out_as_bgr_bytes(tmp_path: Path, suffix: str) -> None:
    image = np.dstack([RAMP, RAMP // 2, 255 - RAMP])
    loaded = load_image(write_picture(tmp_path / f"a{suffix}", image))
    assert loaded.dtype == np.uint8
    assert (loaded.shape, loaded.flags.c_contiguous) == (image.shape, True)
    assert np.abs(loaded.astype(int) - image).mean() < 6


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("grey.png", RAMP),
        ("grey16.png", RAMP.astype(np.uint16) * 257),
        ("grey16.tiff", RAMP.astype(np.uint16) * 257),
        ("colour16.png", np.dstack([RAMP.astype(np.uint16) * 257] * 3)),
        ("alpha.png", np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 255)])),
        ("alpha.tiff", np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 255)])),
    ],
)
def test_grey_deep_and_transparent_pictures(tmp_path: Path, name: str, image: NDArray[np.integer[Any]]) -> None:
    loaded = load_image(write_picture(tmp_path / name, image))
    assert loaded.dtype == np.uint8
    np.testing.assert_allclose(loaded, np.dstack([RAMP] * 3), atol=1)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, turns: int) -> None:
    path = write_picture(tmp_path / "phone.jpg", np.dstack([RAMP] * 3))
    path.write_bytes(with_exif_orientation(path.read_bytes(), orientation))
    expected = np.rot90(np.dstack([RAMP] * 3), turns)
    loaded = load_image(path)
    assert loaded.shape == expected.shape
    assert np.abs(loaded.astype(int) - expected).mean() < 3


def test_a_picture_is_one_frame(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "képek 图.png", grey_picture(70))
    with ImageSource(path) as source:
        frame = source.read()
        assert frame is not None
        assert (frame.index, frame.captured_at, frame.origin) == (0, 0.0, path.name)
        assert source.info.frame_count == 1
        assert source.read() is None
        source.seek(0)
        assert source.skip(5) == 1
        assert source.read() is None
        source.seek(0)
        assert source.read() is not None
    source.seek(0)
    assert source.read() is None


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)], ids=["empty", "text", "broken"]
)
def test_what_is_no_picture_gives_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"^bad\.png is not a picture"):
        ImageSource(path)


def test_a_missing_picture_gives_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^gone\.png cannot be opened: No such file"):
        ImageSource(tmp_path / "gone.png")


def test_pictures_are_listed_as_people_count(tmp_path: Path) -> None:
    for name in ("img10.png", "IMG2.png", "img1.PNG", "b.jpg", "._img1.png", "notes.txt", "2.bmp", "10.bmp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["2.bmp", "10.bmp", "b.jpg", "img1.PNG", "IMG2.png", "img10.png"]


def test_a_folder_gives_its_pictures_in_turn(tmp_path: Path) -> None:
    for number, width in ((1, 32), (2, 64), (10, 16)):
        write_picture(tmp_path / f"{number}.png", grey_picture(number * 10, width))
    with FolderSource(tmp_path) as source:
        info = source.info
        frames = list(iter(source.read, None))
    assert [frame.origin for frame in frames] == ["1.png", "2.png", "10.png"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.image.shape[1] for frame in frames] == [32, 64, 16]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [10, 20, 100]
    assert (info.kind, info.name, info.frame_count, info.width) == ("folder", tmp_path.name, 3, 32)
    assert source.notice == ""
    assert source.read() is None


def test_unreadable_pictures_are_left_out_and_told(tmp_path: Path) -> None:
    for number in range(6):
        write_picture(tmp_path / f"{number}.png", grey_picture(number))
    (tmp_path / "0.png").write_bytes(b"broken")
    (tmp_path / "3.png").write_bytes(b"")
    with FolderSource(tmp_path) as source:
        frames = list(iter(source.read, None))
        assert [(frame.index, frame.origin) for frame in frames] == list(
            enumerate(["1.png", "2.png", "4.png", "5.png"])
        )
        assert source.info.frame_count == 4
        assert [path.name for path in source.unreadable] == ["0.png", "3.png"]
        assert source.notice == "2 pictures could not be read and were left out: 0.png, 3.png"


def test_a_folder_can_be_skipped_and_sought(tmp_path: Path) -> None:
    for number in range(5):
        write_picture(tmp_path / f"{number}.png", grey_picture(number))
    with FolderSource(tmp_path) as source:
        assert source.skip(2) == 2
        third = source.read()
        source.seek(0)
        first = source.read()
        source.seek(99)
        last = source.read()
        assert source.skip(3) == 0
    assert third is not None
    assert first is not None
    assert last is not None
    assert [frame.origin for frame in (third, first, last)] == ["2.png", "0.png", "4.png"]


def test_folders_without_pictures_give_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        FolderSource(tmp_path)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match="damaged or of another kind"):
        FolderSource(tmp_path)


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "a.heif", "IMG_0002.jpg", "no suffix", "film.mp4"])
def test_a_heic_picture_is_told_rather_than_shown_in_part(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HEIC)
    with pytest.raises(SourceError, match="HEIC picture, which cannot be read; save it as JPEG first"):
        open_source(str(tmp_path / name))


def test_heic_pictures_in_a_folder_are_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    with pytest.raises(SourceError, match="save it as JPEG first"):
        FolderSource(tmp_path)
    write_picture(tmp_path / "IMG_2.jpg", grey_picture(7))
    with FolderSource(tmp_path) as source:
        assert [frame.origin for frame in iter(source.read, None)] == ["IMG_2.jpg"]
        assert source.notice.endswith("IMG_1.HEIC")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".avif"])
@pytest.mark.parametrize("name", ["no suffix", "picture.mp4", "picture.gif"])
def test_a_picture_under_another_suffix_is_a_picture(tmp_path: Path, suffix: str, name: str) -> None:
    write_picture(tmp_path / f"a{suffix}", grey_picture(70)).rename(tmp_path / name)
    with open_source(str(tmp_path / name)) as source:
        assert (source.info.kind, source.info.frame_count, source.info.name) == ("image", 1, name)
        frame = source.read()
    assert frame is not None
    assert abs(float(frame.image.mean()) - 70) < 3
