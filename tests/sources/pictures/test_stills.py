from __future__ import annotations

import base64
import struct
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.sources.base import SourceError
from desktop_app.sources.opening import open_source
from desktop_app.sources.pictures.stills import FolderSource, ImageSource, list_images, load_image

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


def with_patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new, 1)


def noise(width: int = 96, height: int = 64) -> Image.Image:
    """A picture whose data takes many bytes in every format."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".avif"])
def test_every_orientation_is_honoured_in_every_format(tmp_path: Path, suffix: str, orientation: int) -> None:
    ramp = np.dstack([RAMP] * 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # AVIF states it as `irot` and `imir`.
    Image.fromarray(ramp).save(tmp_path / f"phone{suffix}", exif=exif)
    turned = [ramp, ramp[:, ::-1], ramp[::-1, ::-1], ramp[::-1]]
    turned += [ramp.swapaxes(0, 1), np.rot90(ramp, 3), np.rot90(ramp, 2).swapaxes(0, 1), np.rot90(ramp)]
    expected = turned[orientation - 1]
    loaded = load_image(tmp_path / f"phone{suffix}")
    assert loaded.shape == expected.shape
    assert np.abs(loaded.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("stated", "turns"), [(1, 0), (8, 1)])
def test_an_avif_is_turned_by_irot_alone_whatever_its_exif_says(tmp_path: Path, stated: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = stated
    # Another number in place of the orientation, which Pillow does not write beside `irot`.
    exif[0x0128] = 6
    path = tmp_path / "phone.avif"
    Image.fromarray(np.dstack([RAMP] * 3)).save(path, exif=exif)
    path.write_bytes(
        with_patched(path.read_bytes(), b"\x01\x28\0\x03\0\0\0\x01\0\x06", b"\x01\x12\0\x03\0\0\0\x01\0\x06")
    )
    expected = np.rot90(np.dstack([RAMP] * 3), turns)
    loaded = load_image(path)
    assert loaded.shape == expected.shape
    assert np.abs(loaded.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pictures_of_every_mode_keep_their_brightness(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (32, 1))
    picture = Image.fromarray(ramp)
    if mode in {"I;16", "I", "F"}:
        values: dict[str, NDArray[Any]] = {
            "I;16": ramp.astype(np.uint16) * 257,
            "I": ramp.astype(np.int32) * 1000,
            "F": ramp / np.float32(255),
        }
        picture = Image.fromarray(values[mode])
    picture.convert(mode).save(tmp_path / "a.tiff")
    loaded = load_image(tmp_path / "a.tiff")
    assert loaded.shape == (32, 64, 3)
    assert np.abs(loaded.mean(axis=0) - ramp[0][:, np.newaxis]).mean() < (40 if mode == "1" else 3)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = (10, 20, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "cut-out.png")
    loaded = load_image(tmp_path / "cut-out.png")
    assert (loaded[:, :4] == 255).all()
    assert (loaded[:, 4:] == (30, 20, 10)).all()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_cmyk_jpeg_of_a_printer_keeps_its_colours(tmp_path: Path, progressive: bool) -> None:
    grey = Image.fromarray(np.dstack([RAMP] * 3))
    grey.convert("CMYK").save(tmp_path / "a.jpg", quality=95, progressive=progressive)
    assert np.abs(load_image(tmp_path / "a.jpg").astype(int) - np.dstack([RAMP] * 3)).mean() < 3


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
    with pytest.raises(SourceError, match=r"^Cannot open “bad\.png”: it is damaged or is not a picture"):
        ImageSource(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff", ".gif", ".bmp"])
def test_a_picture_that_is_cut_off_is_shown_in_part_and_told(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"half{suffix}"
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with ImageSource(path) as source:
        frame = source.read()
        assert str(source.notice) == f"“{path.name}” is damaged: only a part of it is shown."
    assert frame is not None
    assert frame.image.std() > 20
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".avif", ".gif"])
def test_a_picture_that_is_damaged_in_the_middle_is_told(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"damaged{suffix}"
    noise().save(path, **({"compression": "tiff_lzw"} if suffix == ".tiff" else {}))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(reversed(range(0, 240, 6)))
    path.write_bytes(data)
    noise().save(tmp_path / "in" / "sound.png")
    with FolderSource(tmp_path / "in") as source:
        frames = list(iter(source.read, None))
        if suffix not in {".webp", ".avif"}:
            # Their data holds no checksums, and any of it means some picture.
            assert str(source.notice).endswith(f": {path.name}")
    assert frames[-1].origin == "sound.png"
    assert capfd.readouterr().err == ""


def png_of(width: int, height: int) -> bytes:
    """The beginning of a black and white PNG that states a size, and little else."""
    data = b""
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(10_000))),
    ):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + data


def lying_picture(suffix: str, side: int) -> bytes:
    """A small file that states far more pixels than it holds."""
    if suffix == ".png":
        return png_of(side, side)
    file = BytesIO()
    noise(96, 64).save(file, {".jpg": "JPEG", ".jp2": "JPEG2000"}.get(suffix, suffix[1:].upper()))
    patches = {
        ".jpg": (struct.pack(">HH", 64, 96), struct.pack(">HH", side, side)),
        ".webp": (struct.pack("<HH", 96, 64), struct.pack("<HH", side, side)),
        ".gif": (struct.pack("<HH", 96, 64), struct.pack("<HH", side, side)),
        ".bmp": (struct.pack("<ii", 96, 64), struct.pack("<ii", side, side)),
        ".tiff": (struct.pack("<HHII", 257, 4, 1, 64), struct.pack("<HHII", 257, 4, 1, side * side)),
        ".jp2": (struct.pack(">II", 64, 96), struct.pack(">II", side, side)),
        ".avif": (struct.pack(">II", 96, 64), struct.pack(">II", side, side)),
    }
    return with_patched(file.getvalue(), *patches[suffix])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".bmp", ".tiff", ".avif"])
def test_a_picture_that_states_too_many_pixels_is_refused_by_its_header(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(lying_picture(suffix, 16_383))
    write_picture(tmp_path / "b.png", grey_picture(9))
    with FolderSource(tmp_path) as source:
        assert [frame.origin for frame in iter(source.read, None)] == ["b.png"]
    with pytest.raises(
        SourceError, match=rf"^Cannot open “a\{suffix}”: it has more than 120 million pixels|not a picture"
    ):
        load_image(tmp_path / f"a{suffix}")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".jp2"])
def test_a_few_bytes_that_state_a_large_picture_are_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(lying_picture(suffix, 10_000))
    with pytest.raises(
        SourceError, match=rf"^Cannot open “a\{suffix}”: it states 100 million pixels but contains too little"
    ):
        load_image(tmp_path / f"a{suffix}")


def test_a_panorama_opens(tmp_path: Path) -> None:
    Image.new("1", (12_000, 2400)).save(tmp_path / "wide.png", compress_level=1)
    assert load_image(tmp_path / "wide.png").shape == (2400, 12_000, 3)


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    file = BytesIO()
    Image.fromarray(grey_picture(9)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    height, width = struct.pack(">HH", 24, 32), struct.pack(">HH", 5000, 5000)
    (tmp_path / "a.jpg").write_bytes(with_patched(data[:-2], height, width) + scan * 12_000 + b"\xff\xd9")
    with pytest.raises(SourceError, match="not a picture"):
        load_image(tmp_path / "a.jpg")


def test_a_file_that_is_too_large_for_a_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(
        SourceError, match=r"^Cannot open “a\.jpg”: it is larger than 480 MB\. Choose a smaller picture\."
    ):
        load_image(tmp_path / "a.jpg")


def test_a_png_whose_data_states_a_wrong_length_takes_no_memory(tmp_path: Path) -> None:
    file = BytesIO()
    noise().save(file, "PNG")
    data = file.getvalue()
    place = data.index(b"IDAT")
    (tmp_path / "a.png").write_bytes(data[: place - 4] + b"\xf0\0\0\0" + data[place:])
    tracemalloc.start()
    with suppress(SourceError):
        load_image(tmp_path / "a.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_several_pages_are_told(tmp_path: Path) -> None:
    pages = [Image.fromarray(grey_picture(level)) for level in (50, 100)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.tif")
    with ImageSource(tmp_path / "scan.tif") as source:
        frame = source.read()
        assert str(source.notice) == "“scan.tif” has several pages: only the first one is shown."
    assert frame is not None
    assert frame.image.mean() == 50
    with FolderSource(tmp_path) as folder:
        list(iter(folder.read, None))
        assert str(folder.notice) == "Several pages, only the first one is shown: scan.tif"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif"])
def test_animations_in_a_folder_are_played_at_their_own_pace(tmp_path: Path, suffix: str) -> None:
    for name, level in (("a.png", 10), ("c.png", 250)):
        write_picture(tmp_path / name, grey_picture(level))
    frames = [Image.fromarray(grey_picture(level, 64, 64)) for level in range(30, 230, 40)]
    frames[0].save(tmp_path / f"b{suffix}", save_all=True, append_images=frames[1:], duration=400, loop=0)
    with FolderSource(tmp_path) as source:
        shown = list(iter(source.read, None))
        assert source.info.frame_count == 7
        assert source.info.duration_s == pytest.approx(4)
        source.seek(3)
        again = source.read()
        assert [(file.path.name, file.first_frame) for file in source.info.pictures] == [
            ("a.png", 0),
            (f"b{suffix}", 1),
            ("c.png", 6),
        ]
        assert source.skip(2) == 2
        after = source.read()
    assert [frame.index for frame in shown] == list(range(7))
    assert [frame.origin for frame in shown] == ["a.png", *[f"b{suffix}"] * 5, "c.png"]
    # The frames of an animation go together, as those of a film.
    assert [frame.alone for frame in shown] == [True, True, False, False, False, False, True]
    assert [frame.captured_at for frame in shown] == pytest.approx([0, 1, 1.4, 1.8, 2.2, 2.6, 3])
    levels = [float(frame.image.mean()) for frame in shown]
    assert levels == pytest.approx([10, 30, 70, 110, 150, 190, 250], abs=3)
    assert again is not None
    assert again.index == 3
    assert again.image.mean() == pytest.approx(110, abs=3)
    assert after is not None
    assert (after.index, after.origin) == (6, "c.png")


def test_a_file_that_states_endless_frames_gives_those_it_has(tmp_path: Path) -> None:
    frames = [Image.fromarray(grey_picture(level)) for level in (10, 90)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100)
    stated = struct.pack(">I4sII", 8, b"acTL", 2, 0)
    data = with_patched((tmp_path / "a.png").read_bytes(), stated, struct.pack(">I4sII", 8, b"acTL", 0x7FFFFFFF, 0))
    place = data.index(b"acTL")
    checksum = struct.pack(">I", zlib.crc32(data[place : place + 12]))
    (tmp_path / "a.png").write_bytes(data[: place + 12] + checksum + data[place + 16 :])
    with FolderSource(tmp_path) as source:
        assert source.info.frame_count is not None
        assert source.info.frame_count < 100
        assert len(list(iter(source.read, None))) == 2
        assert source.info.frame_count == 2


def test_an_animation_that_ends_early_gives_the_frames_it_has(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.asarray(noise()) // 2 + level) for level in (0, 40, 80, 120)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    write_picture(tmp_path / "b.png", grey_picture(9))
    with FolderSource(tmp_path) as source:
        shown = list(iter(source.read, None))
        assert source.info.frame_count == len(shown)
    assert [frame.index for frame in shown] == list(range(len(shown)))
    assert shown[-1].origin == "b.png"
    assert 2 <= len(shown) <= 4


def test_a_missing_picture_gives_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^Cannot open “gone\.png”: No such file"):
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
    assert source.notice is None
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
        assert str(source.notice) == "Skipped 2 unreadable pictures: 0.png, 3.png"


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
    with pytest.raises(SourceError, match="contains no pictures"):
        FolderSource(tmp_path)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match="damaged or is not a picture"):
        FolderSource(tmp_path)


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "a.heif", "IMG_0002.jpg", "no suffix", "film.mp4"])
def test_a_heic_picture_is_shown_as_a_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HEIC)
    with open_source(str(tmp_path / name)) as source:
        assert source.info.kind == "image"
        frame = source.read()
    assert frame is not None
    assert frame.image.shape == (64, 128, 3)
    # Both tiles.
    assert frame.image[:, :64].std() > 5
    assert frame.image[:, 64:].std() > 5


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "film.mp4"])
def test_a_damaged_heic_picture_gives_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HEIC[: len(HEIC) // 2])
    with pytest.raises(SourceError, match="is damaged or is not a"):
        open_source(str(tmp_path / name))


def test_heic_pictures_in_a_folder_are_read_like_others(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    write_picture(tmp_path / "IMG_2.jpg", grey_picture(7))
    with FolderSource(tmp_path) as source:
        assert [frame.origin for frame in iter(source.read, None)] == ["IMG_1.HEIC", "IMG_2.jpg"]
        assert source.notice is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".avif"])
@pytest.mark.parametrize("name", ["no suffix", "picture.mp4", "picture.gif"])
def test_a_picture_under_another_suffix_is_a_picture(tmp_path: Path, suffix: str, name: str) -> None:
    write_picture(tmp_path / f"a{suffix}", grey_picture(70)).rename(tmp_path / name)
    with open_source(str(tmp_path / name)) as source:
        assert (source.info.kind, source.info.frame_count, source.info.name) == ("image", 1, name)
        frame = source.read()
    assert frame is not None
    assert abs(float(frame.image.mean()) - 70) < 3
