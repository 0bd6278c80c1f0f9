from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from desktop_app.sources.base import SourceError
from desktop_app.sources.films.video_files import VideoFileSource
from tests.helpers.numbered_films import (
    FRAME_COUNT,
    HEIGHT,
    STEADY,
    UNEVEN,
    WIDTH,
    numbered_picture,
    read_all,
    read_number,
    write_video,
)


@pytest.mark.parametrize("name", ["download.mp4", "download.mkv"])
def test_a_film_whose_end_is_missing_says_so(tmp_path: Path, name: str) -> None:
    times_s = [index / 25 for index in range(150)]
    path = write_video(tmp_path / name, times_s, container_options={"movflags": "+faststart"})
    with VideoFileSource(path) as source:
        assert len(read_all(source)[0]) == 150
        assert source.notice is None
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * 0.55)])
    with VideoFileSource(path) as source:
        count = len(read_all(source)[0])
        assert 20 < count < 120
        assert source.info.frame_count == count
        assert str(source.notice).startswith(f"“{name}” is damaged: it lacks its last ")


@pytest.mark.parametrize(
    ("name", "codec", "times_s"),
    [
        ("b_frames.mp4", "libx264", UNEVEN),
        ("b_frames.mkv", "libx264", UNEVEN),
        ("vp9.webm", "libvpx-vp9", UNEVEN),
        ("transport.ts", "libx264", STEADY),
        ("old.avi", "mpeg4", STEADY),
    ],
)
def test_every_frame_comes_with_its_own_time(tmp_path: Path, name: str, codec: str, times_s: list[float]) -> None:
    with VideoFileSource(write_video(tmp_path / name, times_s, codec=codec)) as source:
        numbers, times = read_all(source)
        info = source.info
    assert numbers == list(range(FRAME_COUNT))
    assert times == pytest.approx(times_s, abs=0.001)
    assert (info.width, info.height, info.frame_count, info.live) == (WIDTH, HEIGHT, FRAME_COUNT, False)
    assert info.duration_s == pytest.approx(times_s[-1], abs=0.15)


@pytest.mark.parametrize("name", ["seek.mp4", "seek.mkv", "seek.ts", "seek.avi", "seek.h264"])
def test_seek_is_exact_in_any_order(tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    with VideoFileSource(write_video(tmp_path / name, STEADY, codec=codec)) as source:
        for index in (0, 37, 3, 59, 11, 12, 13, 24, 23, 58, 1):
            source.seek(index)
            frame = source.read()
            assert frame is not None
            assert (frame.index, read_number(frame.image)) == (index, index)
            following = source.read()
            assert (following is None) == (index == 59)
            if following is not None:
                assert read_number(following.image) == index + 1


def test_hardware_that_is_asked_for_decodes_or_is_said_not_to(tmp_path: Path) -> None:
    path = write_video(tmp_path / "steady.mp4", STEADY)
    with VideoFileSource(path, hardware=True) as source:
        numbers, times = read_all(source)
        # Most machines that run tests have no device for it.
        assert source.notice is None or "the processor does" in str(source.notice)
        source.seek(3)
        frame = source.read()
    assert numbers == list(range(FRAME_COUNT))
    assert times == pytest.approx(STEADY, abs=0.001)
    assert frame is not None
    assert read_number(frame.image) == 3


def test_seek_keeps_within_the_file_and_times_stay_true(tmp_path: Path) -> None:
    with VideoFileSource(write_video(tmp_path / "clip.mp4", UNEVEN)) as source:
        source.seek(10_000)
        last = source.read()
        source.seek(-5)
        first = source.read()
        source.seek(30)
        middle = source.read()
    assert last is not None
    assert first is not None
    assert middle is not None
    assert (last.index, first.index) == (FRAME_COUNT - 1, 0)
    assert middle.captured_at == pytest.approx(UNEVEN[30], abs=0.001)


def test_skip_passes_over_frames(tmp_path: Path) -> None:
    with VideoFileSource(write_video(tmp_path / "clip.mp4", STEADY)) as source:
        assert source.skip(7) == 7
        frame = source.read()
        assert frame is not None
        assert (frame.index, read_number(frame.image)) == (7, 7)
        assert source.skip(1000) == FRAME_COUNT - 8
        assert source.read() is None


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_stated_by_a_phone_is_undone(tmp_path: Path, rotation: int) -> None:
    path = write_video(tmp_path / "phone.mp4", STEADY[:3], rotation=rotation)
    with VideoFileSource(path) as source:
        source.skip(1)
        frame = source.read()
        info = source.info
    assert frame is not None
    upright = np.rot90(frame.image, -rotation // 90)
    assert read_number(upright) == 1
    assert frame.image.flags.c_contiguous
    assert (info.height, info.width) == frame.image.shape[:2]


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", STEADY[:3], pixel_aspect=Fraction(3, 2))
    with VideoFileSource(path) as source:
        assert (source.info.width, source.info.height) == (WIDTH * 3 // 2, HEIGHT)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("half.mkv", {}),
        ("fragments.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("index_first.mp4", {"movflags": "faststart"}),
    ],
)
def test_a_file_broken_half_way_plays_up_to_the_break(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = write_video(tmp_path / name, STEADY, container_options=options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with VideoFileSource(path) as source:
        numbers, _ = read_all(source)
    assert numbers == list(range(len(numbers)))
    assert 5 < len(numbers) < FRAME_COUNT


def test_damage_in_the_middle_does_not_stop_the_rest(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hole.mp4", STEADY, container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = b"\xaa" * 100
    path.write_bytes(data)
    with VideoFileSource(path) as source:
        frames = list(iter(source.read, None))
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert read_number(frames[-1].image) == FRAME_COUNT - 1


def truncated_video(path: Path) -> None:
    write_video(path, STEADY)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def sound_only(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("truncated.mp4", truncated_video),
        ("text.mp4", lambda path: path.write_text("hello\n" * 500)),
        ("notes.txt", lambda path: path.write_text("hello\n" * 500)),
        ("empty.mp4", lambda path: path.write_bytes(b"")),
        ("noise.avi", lambda path: path.write_bytes(np.random.default_rng(1).bytes(5000))),
        ("sound.wav", sound_only),
        ("leads_elsewhere.m3u8", playlist),
        ("folder.mp4", lambda path: path.mkdir()),
        ("missing.mp4", lambda path: None),
    ],
)
def test_what_is_no_video_gives_one_sentence(tmp_path: Path, name: str, make: object) -> None:
    assert callable(make)
    make(tmp_path / name)
    with pytest.raises(SourceError) as caught:
        VideoFileSource(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"Cannot open “{name}”: ")
    assert "\n" not in message


def test_names_that_ffmpeg_would_take_for_something_else(tmp_path: Path) -> None:
    path = write_video(tmp_path / "plain.mp4", STEADY[:3]).rename(tmp_path / "视频 %03d é#.mp4")
    with VideoFileSource(path) as source:
        assert source.info.name == path.name
        assert source.read() is not None


def test_a_closed_file_gives_nothing(tmp_path: Path) -> None:
    source = VideoFileSource(write_video(tmp_path / "clip.mp4", STEADY[:5]))
    source.close()
    source.close()
    assert source.read() is None
    assert source.skip(3) == 0
    source.seek(2)
    assert source.read() is None


def test_a_clip_that_was_cut_without_encoding_counts_what_it_shows(tmp_path: Path) -> None:
    whole, cut = write_video(tmp_path / "whole.mp4", STEADY), tmp_path / "cut.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(cut), "w", options={"use_editlist": "1", "avoid_negative_ts": "disabled"}) as target,
    ):
        video = source.streams.video[0]
        assert video.time_base is not None
        stream = target.add_stream_from_template(video)
        offset = round(0.8 / video.time_base)
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                packet.pts -= offset
                packet.dts -= offset
                packet.stream = stream
                target.mux(packet)
    with VideoFileSource(cut) as film:
        numbers, times = read_all(film)
        info = film.info
    assert numbers == list(range(20, FRAME_COUNT))
    assert info.frame_count == len(numbers)
    assert info.duration_s == pytest.approx(times[-1] + 1 / 25, abs=0.05)


def test_the_ticks_of_a_clock_are_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "song with a cover.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44_100)
        cover = container.add_stream("mjpeg", rate=1)
        assert isinstance(sound, av.AudioStream)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered_picture(5), format="bgr24")))
        for index in range(20):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 44_100, index * 1024
            container.mux(sound.encode(silence))
        container.mux(sound.encode())
    with VideoFileSource(path) as source:
        assert source.info.rate == 0.0
        assert source.info.duration_s is None
