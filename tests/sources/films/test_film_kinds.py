"""Films as people have them: phones' and cameras' formats, joined recordings, damage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from numpy.typing import NDArray

from desktop_app.sources.base import SourceError
from desktop_app.sources.films.video_files import VideoFileSource
from tests.helpers.numbered_films import (
    HEIGHT,
    STEADY,
    WIDTH,
    numbered_picture,
    read_all,
    read_number,
    write_video,
)

Picture = NDArray[np.uint8]
FULL = 1 << 16


def write_frames(
    path: Path,
    frames: Iterable[av.VideoFrame],
    *,
    codec: str = "libx264",
    matrix: list[int] | None = None,
    options: dict[str, str] | None = None,
    colours: dict[str, int] | None = None,
) -> Path:
    """A film of 25 pictures a second, in the pixel format of its frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_context.gop_size = 12
        if matrix:
            stream.set_display_matrix(matrix)
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        for index, frame in enumerate(frames):
            if index == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def frame_of(picture: Picture, pixel_format: str = "yuv420p") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pixel_format)


def four_corners() -> Picture:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:] = (240, 40, 40), (40, 240, 40)
    picture[32:, :48], picture[32:, 48:] = (40, 40, 240), (200, 200, 200)
    return picture


def difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


ORIENTATIONS: list[tuple[tuple[int, int, int, int], Callable[[Picture], Picture]]] = [
    ((1, 0, 0, 1), lambda picture: picture),
    ((-1, 0, 0, 1), np.fliplr),
    ((1, 0, 0, -1), np.flipud),
    ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
    ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
    ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    ((0, -1, 1, 0), np.rot90),
    ((0, -1, -1, 0), lambda picture: np.rot90(picture.swapaxes(0, 1), 2)),
]
"""Where the film's right and its down point to on the screen, x and y of each, and what that does to a picture."""


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(("axes", "turn"), ORIENTATIONS)
def test_films_are_turned_and_mirrored_as_they_say(
    tmp_path: Path, suffix: str, axes: tuple[int, int, int, int], turn: Callable[[Picture], Picture]
) -> None:
    right_x, right_y, down_x, down_y = (value * FULL for value in axes)
    matrix = [right_x, right_y, 0, down_x, down_y, 0, 0, 0, 1 << 30]
    path = write_frames(tmp_path / f"phone.{suffix}", [frame_of(four_corners())] * 2, matrix=matrix)
    expected = turn(four_corners())
    with VideoFileSource(path) as source:
        frame = source.read()
        assert (source.info.height, source.info.width) == expected.shape[:2]
    assert frame is not None
    assert difference(frame.image, expected) < 3


def hlg_signal(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    scene = (nits / 1000) ** (1 / 1.2)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene, 1) - 0.28466892) + 0.55991073
    )


def pq_signal(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (nits / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def sdr_signal(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    return (nits / 203) ** (1 / 2.4)


@pytest.mark.parametrize(("transfer", "signal"), [(18, hlg_signal), (16, pq_signal), (14, sdr_signal)])
def test_films_of_high_dynamic_range_look_as_on_an_ordinary_screen(
    tmp_path: Path, transfer: int, signal: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    # Greys and skin, up to where brightness is rolled off: B, G, R of an ordinary screen.
    colours = np.array([(40, 40, 40), (120, 120, 120), (200, 200, 200), (110, 130, 170), (70, 90, 140)], np.uint8)
    picture = np.repeat(np.repeat(colours[None], 64, 0), 32, 1)
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = 203 * ((picture[..., ::-1] / 255) ** 2.4) @ to_bt2020.T
    coded = np.rint(signal(nits) * 1023).astype(np.uint16)
    path = write_frames(
        tmp_path / "bright.mkv",
        [gbr_frame(coded)],
        codec="ffv1",
        colours={"color_trc": transfer, "color_primaries": 9, "colorspace": 0, "color_range": 2},
    )
    with VideoFileSource(path) as source:
        read = source.read()
    assert read is not None
    assert difference(read.image, picture) < 8
    assert np.abs(read.image.astype(int) - picture).max() < 14


def gbr_frame(coded: NDArray[np.uint16]) -> av.VideoFrame:
    """R, G, B of 10 bits as a frame of three planes."""
    frame = av.VideoFrame(coded.shape[1], coded.shape[0], "gbrp10le")
    for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : coded.shape[1]] = coded[..., channel]
        plane.update(rows.tobytes())
    return frame


def combs(picture: Picture) -> float:
    """How much more neighbouring lines differ than lines of the same field."""
    grey = picture.astype(float).mean(axis=2)
    lines = np.abs(grey[2:] - 2 * grey[1:-1] + grey[:-2]).mean()
    fields = np.abs(grey[4:] - 2 * grey[2:-2] + grey[:-4]).mean()
    return float(lines / fields)


def interlaced_frames(count: int, first: str) -> list[av.VideoFrame]:
    """A disc that moves 6 pixels from one field to the next."""
    y, x = np.mgrid[:96, :160]
    fields = [
        np.repeat(np.clip(400 - 8 * np.hypot(x - 30 - 6 * field, y - 48), 20, 230).astype(np.uint8)[..., None], 3, 2)
        for field in range(2 * count)
    ]
    frames: list[av.VideoFrame] = []
    for early, late in zip(fields[::2], fields[1::2], strict=True):
        picture = early.copy()
        upper = first == "tff"
        picture[upper::2] = late[upper::2]
        frame = frame_of(picture)
        frame.pts, frame.time_base = len(frames), Fraction(1, 25)
        frames.append(frame)
    graph = Graph()
    source = graph.add_buffer(width=160, height=96, format=frames[0].format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", mode=first), graph.add("buffersink")).configure()
    marked = []
    for frame in frames:
        graph.push(frame)
        pulled = graph.pull()
        assert isinstance(pulled, av.VideoFrame)
        marked.append(pulled)
    return marked


@pytest.mark.parametrize(
    ("name", "codec", "first", "options"),
    [
        ("dvd.mpg", "mpeg2video", "tff", {"flags": "+ildct+ilme", "b": "4M"}),
        ("camcorder.mts", "libx264", "tff", {"x264-params": "tff=1"}),
        ("camcorder.mp4", "libx264", "bff", {"x264-params": "bff=1"}),
    ],
)
def test_interlaced_films_show_no_combs(
    tmp_path: Path, name: str, codec: str, first: str, options: dict[str, str]
) -> None:
    frames = interlaced_frames(14, first)
    assert combs(np.asarray(frames[5].to_ndarray(format="bgr24"), np.uint8)) > 1.5
    path = write_frames(tmp_path / name, frames, codec=codec, options=options)
    with VideoFileSource(path) as source:
        shown = list(iter(source.read, None))
        assert len(shown) == source.info.frame_count == 14
        assert [frame.captured_at for frame in shown] == pytest.approx([index / 25 for index in range(14)], abs=0.001)
        assert max(combs(frame.image) for frame in shown) < 1
        for index in (12, 13, 5, 0, 11):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert np.array_equal(frame.image, shown[index].image)


@pytest.mark.parametrize(
    ("sizes", "default", "chosen"),
    [([16, 64, 32], None, 64), ([64, 32, 16], 1, 32), ([16, 64], 0, 16)],
)
def test_the_stream_that_is_meant_is_shown_or_else_the_largest(
    tmp_path: Path, sizes: list[int], default: int | None, chosen: int
) -> None:
    path = tmp_path / "several.mkv"
    with av.open(str(path), "w", options={"default_mode": "passthrough"}) as container:
        streams = []
        for number, side in enumerate(sizes):
            stream = container.add_stream("libx264", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
            streams.append(stream)
        for stream in streams:
            for index in range(3):
                frame = frame_of(np.full((stream.height, stream.width, 3), 90, np.uint8))
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    with VideoFileSource(path) as source:
        assert source.info.width == chosen
        assert len(list(iter(source.read, None))) == 3


HOURS = 5 * 3600


@pytest.mark.parametrize("suffix", ["ts", "mpg"])
@pytest.mark.parametrize("starts_s", [(0, 0), (0, HOURS), (HOURS, 0), (95_400, 0, 95_300)])
def test_joined_recordings_play_one_after_the_other(tmp_path: Path, suffix: str, starts_s: tuple[int, ...]) -> None:
    codec = "mpeg2video" if suffix == "mpg" else "libx264"
    data = b""
    for start_s in starts_s:
        part = write_video(tmp_path / f"part.{suffix}", [start_s + time for time in STEADY[:30]], codec=codec)
        data += part.read_bytes()
    path = tmp_path / f"joined.{suffix}"
    path.write_bytes(data)
    count = 30 * len(starts_s)
    with VideoFileSource(path) as source:
        numbers, times = read_all(source)
        assert numbers == list(range(30)) * len(starts_s)
        assert times == pytest.approx([index / 25 for index in range(count)], abs=0.05)
        assert all(later > earlier for earlier, later in pairwise(times))
        assert source.info.frame_count == count
        assert source.info.rate == pytest.approx(25, rel=0.03)
        assert source.notice is None
        for index in (count - 1, 30, 29, 31, 0, 45):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert (frame.index, read_number(frame.image)) == (index, index % 30)
            assert frame.captured_at == pytest.approx(times[index])


def test_a_container_that_seeks_badly_is_read_by_counting(tmp_path: Path) -> None:
    # After a jump into a pack of many small pictures FFmpeg gives the first of them the time of another.
    path = write_frames(
        tmp_path / "dvd.mpg", [frame_of(numbered_picture(index)) for index in range(40)], codec="mpeg2video"
    )
    with VideoFileSource(path) as source:
        for index in (39, 24, 38, 25, 33, 12, 0):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert (frame.index, read_number(frame.image)) == (index, index)


TWICE = [step // 2 * 2 / 25 for step in range(60)]
"""Each time twice, as careless converters write it."""


@pytest.mark.parametrize(
    ("name", "codec", "times_s"),
    [
        ("surveillance.avi", "libx264", STEADY),
        ("twice.mkv", "ffv1", TWICE),
        ("wrapped.ts", "libx264", [95_442.5 + time for time in STEADY]),
    ],
)
def test_times_that_are_not_what_they_should_be(tmp_path: Path, name: str, codec: str, times_s: list[float]) -> None:
    with VideoFileSource(write_video(tmp_path / name, times_s, codec=codec)) as source:
        numbers, times = read_all(source)
        assert numbers == list(range(60))
        assert times == pytest.approx([time - times_s[0] for time in times_s], abs=0.041)
        assert times == sorted(times)
        assert source.info.frame_count == 60
        assert source.info.rate == pytest.approx(25, rel=0.03)
        assert source.notice is None
        for index in (37, 3, 59, 11, 12, 13, 24, 23, 1, 0):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert (frame.index, read_number(frame.image)) == (index, index)
            assert frame.captured_at == pytest.approx(times[index])


def packet_places(path: Path) -> list[tuple[int, int]]:
    """Where the packets of a film's pictures lie, and how many bytes they are, in the order in which they are shown."""
    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    packets.sort(key=lambda packet: packet.pts or 0)
    return [(data.index(bytes(packet), packet.pos or 0), packet.size) for packet in packets]


FAST = {"libx264": {"bf": "0"}, "libvpx": {"deadline": "realtime", "cpu-used": "8"}}


@pytest.mark.parametrize(
    ("name", "codec"),
    [("old.avi", "mjpeg"), ("phone.mp4", "libx264"), ("web.webm", "libvpx"), ("disc.mkv", "mpeg2video")],
)
@pytest.mark.parametrize("number", [21, 58])
def test_a_damaged_picture_costs_that_picture_and_one_notice(
    tmp_path: Path, name: str, codec: str, number: int
) -> None:
    frames = [frame_of(numbered_picture(index), "yuvj420p" if codec == "mjpeg" else "yuv420p") for index in range(60)]
    path = write_frames(tmp_path / name, frames, codec=codec, options=FAST.get(codec))
    data = bytearray(path.read_bytes())
    place, size = packet_places(path)[number]
    data[place : place + size] = np.random.default_rng(1).bytes(size)
    path.write_bytes(data)
    with VideoFileSource(path) as source:
        shown = list(iter(source.read, None))
        assert [frame.index for frame in shown] == list(range(59))
        times = [frame.captured_at for frame in shown]
        assert times == pytest.approx([index / 25 for index in range(60) if index != number], abs=0.001)
        assert str(source.notice) == f"“{name}” is damaged: it lacks 1 picture."
        assert source.info.frame_count == 59
        for index in (58, 20, 21, 0):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert frame.index == index
            assert frame.captured_at == pytest.approx(times[index])
            assert np.array_equal(frame.image, shown[index].image)
        assert str(source.notice) == f"“{name}” is damaged: it lacks 1 picture."


@pytest.mark.parametrize(("name", "codec"), [("part.mkv", "libx264"), ("part.ts", "libx264")])
def test_a_destroyed_part_in_the_middle_is_told(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, [index / 25 for index in range(240)], codec=codec)
    with VideoFileSource(path) as source:
        whole = len(list(iter(source.read, None)))
        assert (whole, source.notice) == (240, None)
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = np.random.default_rng(2).bytes(third)
    path.write_bytes(data)
    with VideoFileSource(path) as source:
        shown = list(iter(source.read, None))
        notice = str(source.notice)
    assert 50 < len(shown) < 200
    missing = int(notice.removeprefix(f"“{name}” is damaged: it lacks ").removesuffix(" pictures."))
    assert missing == pytest.approx(240 - len(shown), abs=8)
    assert read_number(shown[-1].image) == 239


@pytest.mark.parametrize("name", ["slides.mkv", "slides.mp4", "slides.webm"])
def test_a_picture_that_stands_for_long_is_no_damage(tmp_path: Path, name: str) -> None:
    times_s = [index / 25 + (30 if index > 40 else 0) for index in range(80)]
    path = write_video(tmp_path / name, times_s, codec="libvpx-vp9" if name.endswith("webm") else "libx264")
    with VideoFileSource(path) as source:
        _, times = read_all(source)
        source.seek(60)
        frame = source.read()
        assert source.notice is None
    assert times == pytest.approx(times_s, abs=0.001)
    assert frame is not None
    assert read_number(frame.image) == 60


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="the system does not tell what of a file is there")
@pytest.mark.parametrize("name", ["film.mkv", "film.avi", "film.ts"])
def test_emptiness_behind_a_film_is_not_searched(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, STEADY[:20], codec="mpeg4" if name.endswith("avi") else "libx264")
    os.truncate(path, 50 << 30)
    with VideoFileSource(path) as source:
        numbers, _ = read_all(source)
        assert str(source.notice).startswith(f"“{name}” is damaged: ")
        source.seek(7)
        frame = source.read()
    assert len(numbers) >= 19
    assert frame is not None
    assert read_number(frame.image) == 7


def test_a_count_that_the_file_is_too_small_for_is_not_believed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", STEADY[:20], codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 40
    data[place : place + 4] = (0x7FFFFFFF).to_bytes(4, "little")
    path.write_bytes(data)
    with VideoFileSource(path) as source:
        assert source.info.frame_count == 20


@pytest.mark.parametrize("pixel_aspect", [Fraction(1000), Fraction(1, 1000), Fraction(20)])
def test_a_pixel_aspect_that_no_film_has_is_not_believed(tmp_path: Path, pixel_aspect: Fraction) -> None:
    path = write_video(tmp_path / "wide.mkv", STEADY[:3], codec="ffv1", pixel_aspect=pixel_aspect)
    with VideoFileSource(path) as source:
        assert (source.info.width, source.info.height) == (WIDTH, HEIGHT)


def test_a_size_that_is_not_true_is_refused(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "huge.avi", [frame_of(numbered_picture(0), "yuvj420p")] * 5, codec="mjpeg")
    # The size of the picture in its JPEG header: height, width.
    size = HEIGHT.to_bytes(2, "big") + WIDTH.to_bytes(2, "big")
    path.write_bytes(path.read_bytes().replace(size, (30_000).to_bytes(2, "big") * 2))
    with pytest.raises(SourceError, match=r"huge\.avi"):
        VideoFileSource(path)


def test_a_name_with_a_pattern_is_only_a_name(tmp_path: Path) -> None:
    for name, value in (("a%d.tga", 200), ("a0.tga", 50)):
        encoder = av.CodecContext.create("targa", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 32, 32, "bgr24", Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), value, np.uint8), format="bgr24")
        (tmp_path / name).write_bytes(b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode()])))
    with VideoFileSource(tmp_path / "a%d.tga") as source:
        frames = list(iter(source.read, None))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [200]
