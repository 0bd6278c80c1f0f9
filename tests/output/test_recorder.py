from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.output.recorder import NameTakenError, Recorder, RecordingError
from tests.helpers.portrait import astronaut_bgr

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".mp4", ".mkv")
TICK_S = {".mp4": 1 / 30_000, ".mkv": 1 / 1000}
WIDTH, HEIGHT = 160, 120

# A program that records moving noise, says how far it came, what went wrong and what it came to.
RECORD = """
import json, sys
from pathlib import Path
import numpy as np
from desktop_app.output.recorder import NameTakenError, Recorder, RecordingError
path, limit, overwrite, user = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "overwrite", sys.argv[4]
noise = np.random.default_rng(7).integers(0, 256, (120, 160, 3), dtype=np.uint8)
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if user:
    import os
    os.seteuid(int(user))
try:
    recorder = Recorder(path, width=160, height=120, rate=30, overwrite=overwrite)
except RecordingError as error:
    sys.exit(f"RecordingError {error}")
try:
    for index in range(int(sys.argv[5])):
        recorder.write(np.ascontiguousarray(np.roll(noise, index, axis=1)), index / 30)
        print(index + 1, flush=True)
    recorder.close()
except RecordingError as error:
    print("RecordingError", error)
summary = recorder.close()
print(json.dumps([str(summary.path), summary.frames, summary.duration_s, summary.size_bytes]))
"""


def start_recording(
    path: Path, *, limit: int = 0, overwrite: bool = False, user: str = "", frames: int = 1_000_000
) -> subprocess.Popen[str]:
    arguments = [str(path), str(limit), "overwrite" if overwrite else "", user, str(frames)]
    return subprocess.Popen(
        [sys.executable, "-c", RECORD, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def record(path: Path, times: Sequence[float], *, rate: float = 30.0, width: int = WIDTH, height: int = HEIGHT) -> None:
    with Recorder(path, width=width, height=height, rate=rate) as recorder:
        for index, time_s in enumerate(times):
            recorder.write(np.full((height, width, 3), index % 256, np.uint8), time_s)


def decode(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24").astype(np.uint8) for frame in container.decode(video=0)]


def decode_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def duration_of(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


def portrait(width: int, height: int) -> NDArray[np.uint8]:
    picture = astronaut_bgr()
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_uneven_times_are_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    steps = np.random.default_rng(3).uniform(0.008, 0.25, 79)
    times = [float(at) for at in 1000 + np.concatenate([[0], np.cumsum(steps)])]

    record(path, times)

    got = decode_times(path)
    assert len(got) == len(times)
    assert np.allclose(got, np.subtract(times, times[0]), rtol=0, atol=TICK_S[suffix])
    assert duration_of(path) == pytest.approx(times[-1] - times[0] + 1 / 30, abs=2 * TICK_S[suffix])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_summary_tells_what_is_in_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    recorder = Recorder(path, width=WIDTH, height=HEIGHT, rate=25)
    for index in range(40):
        recorder.write(np.full((HEIGHT, WIDTH, 3), 100, np.uint8), index / 25)
    assert recorder.frames == 40
    assert recorder.duration_s == pytest.approx(1.6)

    summary = recorder.close()

    assert summary.path == path
    assert summary.frames == len(decode(path)) == 40
    assert summary.duration_s == pytest.approx(1.6)
    assert summary.duration_s == pytest.approx(duration_of(path))
    assert summary.size_bytes == recorder.size_bytes == path.stat().st_size
    assert recorder.close() == summary


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_stream_is_h264_with_bt709_colours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    record(path, [0, 0.1])

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        bt709, limited_range = 1, 1
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tags == (bt709, bt709, bt709, limited_range)
        assert not container.streams.audio


def test_colours_do_not_shift(tmp_path: Path) -> None:
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    bars = np.empty((96, 32 * len(colours), 3), np.uint8)
    for index, colour in enumerate(colours):
        bars[:, 32 * index : 32 * (index + 1)] = colour
    path = tmp_path / "bars.mp4"
    with Recorder(path, width=bars.shape[1], height=bars.shape[0]) as recorder:
        recorder.write(bars, 0)

    (got,) = decode(path)

    for index, colour in enumerate(colours):
        middle = got[16:80, 32 * index + 8 : 32 * index + 24].reshape(-1, 3).mean(axis=0)
        assert np.abs(middle - colour).max() < 2.5, (colour, middle)


def test_picture_stays_close_to_the_source(tmp_path: Path) -> None:
    picture = portrait(480, 360)
    path = tmp_path / "film.mkv"
    with Recorder(path, width=480, height=360) as recorder:
        for index in range(5):
            recorder.write(np.roll(picture, 4 * index, axis=1), index / 30)

    for index, got in enumerate(decode(path)):
        assert cv2.PSNR(got, np.roll(picture, 4 * index, axis=1)) > 32


def test_odd_sizes_are_extended_by_their_border(tmp_path: Path) -> None:
    picture = portrait(161, 121)
    path = tmp_path / "film.mp4"
    with Recorder(path, width=161, height=121) as recorder:
        recorder.write(picture, 0)

    (got,) = decode(path)

    assert got.shape == (122, 162, 3)
    assert cv2.PSNR(np.ascontiguousarray(got[:121, :161]), picture) > 30
    assert np.abs(got[:121, 161].astype(int) - picture[:, 160]).mean() < 12


def test_picture_of_another_size_is_letterboxed(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with Recorder(path, width=160, height=120) as recorder:
        recorder.write(np.full((120, 160, 3), 200, np.uint8), 0)
        recorder.write(np.full((240, 120, 3), 200, np.uint8), 0.1)
        recorder.write(np.full((15, 20, 3), 200, np.uint8), 0.2)

    whole, tall, small = decode(path)

    assert whole.shape == tall.shape == small.shape == (120, 160, 3)
    assert abs(float(small.mean()) - 200) < 3
    assert tall[:, :44].mean() < 4
    assert tall[:, -44:].mean() < 4
    assert abs(float(tall[:, 56:104].mean()) - 200) < 3


@settings(max_examples=20, deadline=None)
@given(
    suffix=st.sampled_from(SUFFIXES),
    times=st.lists(st.floats(-5, 5), min_size=1, max_size=12),
    rate=st.sampled_from([0.0, 25.0, 29.97]),
)
def test_any_times_give_increasing_ones(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, times: list[float], rate: float
) -> None:
    path = tmp_path_factory.mktemp("times") / f"film{suffix}"

    record(path, times, rate=rate, width=16, height=16)

    got = decode_times(path)
    assert len(got) == len(times)
    assert got[0] == 0
    assert all(earlier < later for earlier, later in pairwise(got))
    # Only what came too early is moved, and by no more than the steps of its predecessors.
    latest = np.maximum.accumulate(np.subtract(times, times[0]))
    assert np.all(np.subtract(got, np.maximum(latest, 0)) <= TICK_S[suffix] * len(times))
    assert np.all(np.subtract(got, np.maximum(latest, 0)) >= -TICK_S[suffix])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_day_long_gap_is_shortened_and_the_rest_goes_on(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"

    record(path, [0, 0.1, 86_400, 86_400.1])

    half_a_day_s = 12 * 3600
    assert decode_times(path) == pytest.approx([0, 0.1, half_a_day_s + 0.1, half_a_day_s + 0.2], abs=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keyframe_each_second_whatever_the_rate(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    record(path, [*(index / 60 for index in range(180)), *(3 + index / 4 for index in range(20))])

    with av.open(str(path)) as container:
        keyframes = [
            float(packet.pts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.is_keyframe and packet.pts is not None and packet.time_base is not None
        ]

    assert keyframes[0] == 0
    assert max(later - earlier for earlier, later in pairwise(keyframes)) < 1.3
    assert keyframes[-1] > 6.5


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ffprobe_agrees(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    record(path, [0, 0.05, 0.3, 1.0, 2.5], rate=20)

    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert not done.stderr
    found = json.loads(done.stdout)
    (stream,) = found["streams"]
    assert (stream["codec_name"], stream["nb_read_frames"]) == ("h264", "5")
    assert (stream["color_space"], stream["color_range"]) == ("bt709", "tv")
    assert float(found["format"]["duration"]) == pytest.approx(2.55, abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_recording_plays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    with start_recording(path) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 100:
            pass
        process.kill()

    frames = len(decode(path))

    # The second since the last keyframe, and the frame whose length is not known yet.
    assert frames >= 100 - 31
    assert decode_times(path) == pytest.approx([index / 30 for index in range(frames)], abs=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("interval_s", [1 / 60, 0.4, 1.0, 5.0])
def test_every_picture_that_was_taken_is_on_the_disk(tmp_path: Path, suffix: str, interval_s: float) -> None:
    # Reading the file while it is open is what finding it after a kill is: nothing is buffered in the program.
    path = tmp_path / f"film{suffix}"
    recorder = Recorder(path, width=WIDTH, height=HEIGHT, rate=1 / interval_s)
    assert not path.exists()
    for index in range(8):
        recorder.write(portrait(WIDTH, HEIGHT), index * interval_s)
        assert decode_times(path) == pytest.approx([at * interval_s for at in range(index + 1)], abs=1e-3)
    recorder.close()
    assert len(decode(path)) == 8
    assert duration_of(path) == pytest.approx(8 * interval_s, abs=0.002)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_film_holds_nothing_of_what_stood_in(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    # The last frame's own fragment, which is large, ends up under an index, which is small.
    rng = np.random.default_rng(5)
    with Recorder(path, width=WIDTH, height=HEIGHT, rate=2) as recorder:
        for index in range(3):
            recorder.write(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), index / 2)
    with av.open(str(path)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    assert len(sizes) == 3
    assert path.stat().st_size < sum(sizes) + 4000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_that_was_taken_meanwhile_is_left_to_the_other(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    first, second = (Recorder(path, width=WIDTH, height=HEIGHT) for _ in range(2))
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    first.write(black, 0)
    with pytest.raises(NameTakenError, match="exists already"):
        second.write(black, 0)
    assert second.close().frames == 0
    first.write(black, 1)
    assert first.close().frames == len(decode(path)) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_kept_beside_what_it_should_have_replaced(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")
    recorder = Recorder(path, width=WIDTH, height=HEIGHT, overwrite=True)
    recorder.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)
    summary = recorder.keep()
    assert path.read_bytes() == b"precious"
    assert summary.path == tmp_path / "film.part.mp4"
    assert len(decode(summary.path)) == 1


@pytest.fixture(scope="module")
def complete_sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many bytes a hundred frames come to where there is room."""
    folder, sizes = tmp_path_factory.mktemp("complete"), dict[str, int]()
    for suffix in SUFFIXES:
        with start_recording(folder / f"film{suffix}", frames=100) as process:
            process.communicate()
        sizes[suffix] = (folder / f"film{suffix}").stat().st_size
    return sizes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("missing", [1, 200, 50_000])
def test_full_disk_leaves_a_playable_file(
    tmp_path: Path, complete_sizes: dict[str, int], suffix: str, missing: int
) -> None:
    path = tmp_path / f"film{suffix}"
    with start_recording(path, frames=100, limit=complete_sizes[suffix] - missing) as process:
        output, _ = process.communicate()

    *_, error, summary = output.splitlines()
    name, frames, duration_s, size_bytes = json.loads(summary)
    assert error.startswith("RecordingError The recording ended: the file became larger than this disk allows")
    assert str(path) in error
    assert name == str(path)
    assert len(decode(path)) == frames >= 60
    assert decode_times(path)[-1] == pytest.approx(duration_s - 1 / 30, abs=2e-3)
    assert path.stat().st_size == size_bytes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_disk_full_from_the_start_leaves_nothing(tmp_path: Path) -> None:
    with start_recording(tmp_path / "film.mp4", limit=100) as process:
        output, _ = process.communicate()

    error, summary = output.splitlines()
    assert error.startswith("RecordingError Cannot record to ")
    assert json.loads(summary)[1:] == [0, 0, 0]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_existing_file_survives_a_failed_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")

    with start_recording(path, overwrite=True, limit=200_000) as process:
        output, _ = process.communicate()

    part = tmp_path / "film.part.mp4"
    assert "RecordingError" in output
    assert f"before is “{part}”" in output
    assert path.read_bytes() == b"precious"
    assert len(decode(part)) >= 30


def test_existing_file_is_not_touched_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")

    with pytest.raises(RecordingError, match="exists already"):
        Recorder(path, width=WIDTH, height=HEIGHT)

    assert path.read_bytes() == b"precious"


def test_overwrite_replaces_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")
    (tmp_path / "film.part.mp4").write_bytes(b"left by a crash")

    recorder = Recorder(path, width=WIDTH, height=HEIGHT, overwrite=True)
    recorder.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)
    assert path.read_bytes() == b"precious"
    recorder.close()

    assert len(decode(path)) == 1
    assert {one.name for one in tmp_path.iterdir()} == {"film.mp4", "film.part.mp4"}
    assert (tmp_path / "film.part.mp4").read_bytes() == b"left by a crash"


def test_overwriting_without_a_frame_keeps_the_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"precious")

    with Recorder(path, width=WIDTH, height=HEIGHT, overwrite=True):
        pass

    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"precious"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_recording_without_a_frame_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    summary = Recorder(tmp_path / f"film{suffix}", width=WIDTH, height=HEIGHT).close()

    assert (summary.frames, summary.duration_s, summary.size_bytes) == (0, 0, 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["film.avi", "film", "film.mp4.txt"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=r"\.mp4 or \.mkv"):
        Recorder(tmp_path / name, width=WIDTH, height=HEIGHT)

    assert not list(tmp_path.iterdir())


def test_suffix_may_be_upper_case(tmp_path: Path) -> None:
    record(tmp_path / "FILM.MP4", [0])

    assert len(decode(tmp_path / "FILM.MP4")) == 1


def test_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "film.mp4"

    with pytest.raises(RecordingError, match="the folder does not exist") as caught:
        Recorder(path, width=WIDTH, height=HEIGHT)

    assert str(path) in str(caught.value)
    assert not path.parent.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no write permission on Windows")
def test_unwritable_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    # Root may write anywhere, so the program becomes somebody else.
    nobody = "65534" if os.geteuid() == 0 else ""

    with start_recording(folder / "film.mp4", user=nobody) as process:
        output, _ = process.communicate()

    assert output.startswith("RecordingError Cannot record to ")
    assert "writing there is not allowed" in output
    assert not list(folder.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove an open file")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lost_folder_ends_the_recording(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    recorder = Recorder(folder / f"film{suffix}", width=WIDTH, height=HEIGHT)
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for index in range(40):
        recorder.write(black, index / 30)

    def record_on() -> None:
        for index in range(40, 120):
            recorder.write(black, index / 30)

    moved = folder.rename(tmp_path / "moved")

    with pytest.raises(RecordingError, match="removed meanwhile"):
        record_on()
    with pytest.raises(RecordingError, match="removed meanwhile"):
        recorder.write(black, 10)
    assert recorder.close().frames == len(decode(moved / f"film{suffix}")) >= 30


def test_size_that_no_encoder_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="0×0 pixels"):
        Recorder(tmp_path / "film.mp4", width=0, height=0)

    assert not list(tmp_path.iterdir())


def test_closed_recording_takes_no_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "film.mp4", width=WIDTH, height=HEIGHT)
    recorder.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)
    recorder.close()

    with pytest.raises(RecordingError, match="is closed"):
        recorder.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 1)

    assert len(decode(tmp_path / "film.mp4")) == 1
