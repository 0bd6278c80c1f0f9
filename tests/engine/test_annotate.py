"""What `annotate` writes, and what it must not touch."""

from __future__ import annotations

import csv
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.engine.annotate import AnnotationRequest, annotate
from desktop_app.errors import AgelensError
from desktop_app.sources.excerpt import Excerpt
from desktop_app.stopping import StopRequest
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle
from desktop_app.vision.privacy.face_cover import FaceCover
from tests.helpers.films import write_film_with_sound
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.tiny_model import MakeModel, fail_from_four_faces

FACE = astronaut_bgr()
BARE: Final = OverlayStyle(boxes=False, ages=False, genders=False, names=False)
NAMES: Final[dict[str, Callable[[Path], str]]] = {
    "its address": lambda film: film.as_uri(),
    "a path from home": lambda film: f"~/{film.name}",
    "blanks around it": lambda film: f"  {film} ",
    "a link": lambda film: str(linked(film, os.symlink)),
    "a second name": lambda film: str(linked(film, os.link)),
}


def linked(film: Path, link: Callable[[Path, Path], None]) -> Path:
    other = film.with_name(f"other {film.name}")
    link(film, other)
    return other


def run(source: Path | str, **request: object) -> int:
    steps = list(annotate(AnnotationRequest(source=str(source), **request)))  # type: ignore[arg-type]
    return steps[-1].frames


def write_film(path: Path, frames: int = 3) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(FACE), format="bgr24")))
        container.mux(stream.encode())
    return path


def sound_of(path: Path) -> NDArray[np.float32]:
    """All samples of a film's sound; none where it has none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


@pytest.mark.parametrize("name", ["labelled.mp4", "labelled.mkv"])
def test_sound_is_copied_as_it_is_and_ends_with_the_pictures(tmp_path: Path, name: str) -> None:
    film = write_film_with_sound(tmp_path / "talk.mp4")
    request = AnnotationRequest(source=str(film), output=tmp_path / name)
    assert not any(step.notice for step in annotate(request))
    copied, whole = sound_of(tmp_path / name), sound_of(film)
    # The tone goes on for a second after the last picture.
    assert len(copied) == pytest.approx(2 * 48_000, abs=2 * 1024)
    # Decoders fade in and out over a packet or two.
    np.testing.assert_allclose(copied[2048:-2048], whole[2048 : len(copied) - 2048], atol=1e-3)
    with av.open(str(tmp_path / name)) as container:
        assert len(list(container.decode(video=0))) == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["talk.mp4", name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"audio": False}, ""),
        ({"style": OverlayStyle(privacy="faces")}, "The sound of “talk.mkv” is not kept: voices tell who people are."),
        ({}, "The sound of “talk.mkv” is not kept: .mp4 files cannot hold it."),
    ],
)
def test_sound_that_is_not_kept_is_said_once(tmp_path: Path, changes: dict[str, Any], notice: str) -> None:
    film = write_film_with_sound(tmp_path / "talk.mkv", "pcm_s16le")
    request = AnnotationRequest(source=str(film), output=tmp_path / "labelled.mp4", **changes)
    assert [step.notice for step in annotate(request) if step.notice] == ([notice] if notice else [])
    assert not len(sound_of(tmp_path / "labelled.mp4"))
    request = AnnotationRequest(source=str(film), predictions=tmp_path / "faces.csv")
    assert not any(step.notice for step in annotate(request))


def test_a_recording_stays_where_its_sound_cannot_be_copied(tmp_path: Path) -> None:
    film = write_film_with_sound(tmp_path / "talk.mp4")
    request = AnnotationRequest(source=str(film), output=tmp_path / "labelled.mp4", predictions=tmp_path / "faces.csv")
    steps = annotate(request)
    next(steps)
    film.unlink()
    with pytest.raises(AgelensError, match=r"Cannot copy the sound of “talk\.mp4”"):
        list(steps)
    with av.open(str(tmp_path / "labelled.mp4")) as container:
        assert len(list(container.decode(video=0))) == 20
    assert (tmp_path / "faces.csv").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.csv", "faces.csv.meta.json", "labelled.mp4"]


def write_portrait(path: Path) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, FACE)[1].tobytes())
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_the_source_is_never_overwritten(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    film = write_film(tmp_path / "mine.mp4")
    before = film.read_bytes()
    with pytest.raises(AgelensError, match="is the source itself"):
        run(NAMES[name](film), output=film, overwrite=True)
    assert film.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "says"),
    [("film.avi", "it is of another kind"), ("folder.mp4", "there is a folder of that name")],
)
def test_what_fails_at_one_file_leaves_the_other_as_it_was(output: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    table = tmp_path / "mine.csv"
    table.write_text("my work")
    film = write_film(tmp_path / "in.mp4")
    with pytest.raises(AgelensError, match=says):
        run(film, output=tmp_path / output, predictions=table, overwrite=True)
    assert table.read_text() == "my work"
    table.unlink()
    with pytest.raises(AgelensError, match=says):
        run(film, output=tmp_path / output, predictions=table, overwrite=True)
    assert not table.exists()


@pytest.mark.slow
def test_a_picture_that_is_too_large_for_a_video_leaves_no_file(tmp_path: Path) -> None:
    panorama = tmp_path / "panorama.png"
    panorama.write_bytes(cv2.imencode(".png", np.zeros((40, 20_000, 3), np.uint8))[1].tobytes())
    with pytest.raises(AgelensError, match="Cannot record pictures of 20000×40 pixels"):
        run(panorama, output=tmp_path / "out.mp4", predictions=tmp_path / "out.csv")
    with pytest.raises(AgelensError, match=r"does not hold 20000×40 pixels\. Name a \.png picture"):
        run(panorama, output=tmp_path / "out.webp")
    assert list(tmp_path.iterdir()) == [panorama]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a thing of POSIX")
def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    import resource

    portrait, output = write_portrait(tmp_path / "in.png"), tmp_path / "out.png"
    output.write_bytes(b"my work")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(AgelensError, match=r"out\.png”: the file became larger"):
            run(portrait, output=output, overwrite=True)
        with pytest.raises(AgelensError, match=r"Cannot write “.*new\.png”"):
            run(portrait, output=tmp_path / "new.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert output.read_bytes() == b"my work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a thing of POSIX")
def test_a_film_that_cannot_be_written_leaves_the_table_of_the_one_before(tmp_path: Path) -> None:
    import resource

    film, output, table = write_film(tmp_path / "in.mp4", 30), tmp_path / "out.mp4", tmp_path / "out.csv"
    output.write_bytes(b"my film")
    table.write_text("my table")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(AgelensError, match="the file became larger"):
            run(film, output=output, predictions=table, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (output.read_bytes(), table.read_text()) == (b"my film", "my table")
    # Not even one picture had room, so there is nothing to keep beside them.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.csv", "out.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove an open file")
def test_a_table_that_cannot_be_written_leaves_the_film_of_the_one_before(tmp_path: Path) -> None:
    film, output, table = write_film(tmp_path / "in.mp4"), tmp_path / "out.mp4", tmp_path / "out.csv"
    output.write_bytes(b"my film")
    table.write_text("my table")
    steps = annotate(AnnotationRequest(source=str(film), output=output, predictions=table, overwrite=True))
    next(steps)
    (tmp_path / "out.part.csv").unlink()
    with pytest.raises(AgelensError, match="Cannot finish the predictions"):
        list(steps)
    assert (output.read_bytes(), table.read_text()) == (b"my film", "my table")
    with av.open(str(tmp_path / "out.part.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
@pytest.mark.parametrize("name", ["out.csv", "out.mp4", "out.png"])
def test_only_files_are_overwritten(name: str, tmp_path: Path) -> None:
    portrait, pipe = write_portrait(tmp_path / "in.png"), tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / name).symlink_to(pipe)
    outputs = {"predictions" if name == "out.csv" else "output": tmp_path / name}
    for overwrite in (False, True):
        with pytest.raises(AgelensError, match="only files are replaced"):
            run(portrait, overwrite=overwrite, **outputs)
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.png", "pipe", name])


@pytest.mark.slow
@pytest.mark.parametrize("frames", [0, 1, 3])
def test_a_request_to_stop_ends_film_and_table_whole(frames: int, tmp_path: Path) -> None:
    output, table, stop = tmp_path / "out.mp4", tmp_path / "out.jsonl", StopRequest()
    steps = annotate(AnnotationRequest(source="demo", output=output, predictions=table), stop)
    for _ in range(frames):
        next(steps)
    stop.set()
    seen = frames + len(list(steps))
    assert output.exists() == table.exists() == bool(frames)
    if frames:
        with av.open(str(output)) as container:
            assert sum(1 for _ in container.decode(video=0)) == seen
        assert json.loads(table.read_text(encoding="utf-8").splitlines()[-1])["frame"] < seen


def test_a_folder_of_pictures_does_not_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_portrait(tmp_path / "in" / "a.png")
    (tmp_path / "out").write_text("my work")
    with pytest.raises(AgelensError, match="out”: it is a file"):
        run(tmp_path / "in", output=tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text() == "my work"


def test_a_folder_whose_name_looks_like_a_suffix_will_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_portrait(tmp_path / "in" / "a.png")
    (tmp_path / "trip.2024").mkdir()
    run(tmp_path / "in", output=tmp_path / "trip.2024", overwrite=True)
    assert [path.name for path in (tmp_path / "trip.2024").iterdir()] == ["a.png.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="these names are for Linux and macOS")
def test_names_of_any_length_are_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = [f"{'ü' * ((length - 5) // 2)}{'x' * (1 + (length - 5) % 2)}.png" for length in range(245, 256)]
    # Two that differ in what is cut off.
    names += [f"{'y' * 250}.jpg", f"{'y' * 250}.png"]
    for name in names:
        (tmp_path / "in" / name).write_bytes(cv2.imencode(name[-4:], np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    for overwrite in (False, True):
        request = AnnotationRequest(source=str(tmp_path / "in"), output=tmp_path / "out", overwrite=overwrite)
        *_, last = annotate(request)
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert len(written) == len(names)
        # What fits stays as it is.
        assert f"{names[0]}.png" in written
        assert last.notice.startswith("Shortened names that are too long for the folder: ")
        assert not [name for name in written if ".part" in name]


def test_a_face_is_the_same_one_in_all_frames_of_an_animation(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_portrait(tmp_path / "in" / "a.png")
    write_portrait(tmp_path / "in" / "c.png")
    frames = [Image.fromarray(np.roll(FACE[..., ::-1], step, axis=1)) for step in (0, 5, 10, 15)]
    frames[0].save(tmp_path / "in" / "b.webp", save_all=True, append_images=frames[1:], duration=100)
    run(tmp_path / "in", predictions=tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        tracks = [(row["file"], row["track"]) for row in csv.DictReader(file)]
    assert tracks == [("a.png", "1"), *[("b.webp", "2")] * 4, ("c.png", "3")]


def test_the_frames_of_an_animation_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    frames = [Image.new("RGB", (16, 16), (level, level, level)) for level in (10, 100, 200)]
    frames[0].save(tmp_path / "in" / "a.gif", save_all=True, append_images=frames[1:], duration=500)
    run(tmp_path / "in", output=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gif.2.png", "a.gif.3.png", "a.gif.png"]
    run(tmp_path / "in", output=tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([0, 0.5, 1], abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_odd_names_survive_in_tables(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = ["=1+1.png", 'a "quoted", b.png', "two\nlines.png", "caf\udce9.png"]
    for name in names:
        write_portrait(tmp_path / "in" / name)
    run(tmp_path / "in", predictions=tmp_path / "out.csv")
    run(tmp_path / "in", predictions=tmp_path / "out.jsonl")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert {row["file"] for row in csv.DictReader(file)} == {"'=1+1.png", *names[1:3], "caf\\udce9.png"}
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["file"] for line in lines} == set(names)


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4")
    with pytest.raises(AgelensError, match=r"the name is too long\. Choose a shorter one"):
        run(film, output=tmp_path / f"{'x' * 300}.mp4")
    with pytest.raises(AgelensError, match="there is no such file"):
        run(f"{'x' * 300}.mp4", output=film, overwrite=True)


def test_a_picture_makes_a_video_of_a_second(tmp_path: Path) -> None:
    run(write_portrait(tmp_path / "in.png"), output=tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration == pytest.approx(1_000_000, abs=1000)


class _Camera(BaseHTTPRequestHandler):
    """A stream over HTTP: portraits, as fast as they are taken."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", FACE)[1].tobytes()
        for _ in range(40):
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
            self.wfile.write(jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


@pytest.fixture
def camera() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Camera) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://ann:hush@127.0.0.1:{server.server_port}/live"
        server.shutdown()


def test_the_rows_of_a_stream_have_the_times_of_its_video(camera: str, tmp_path: Path) -> None:
    video, table = tmp_path / "out.mkv", tmp_path / "out.csv"
    frames = dropped = 0
    with pytest.raises(AgelensError, match="broke off") as caught:  # noqa: PT012 - the loop ends by it
        for progress in annotate(AnnotationRequest(source=camera, output=video, predictions=table)):
            frames, dropped = progress.frames, progress.dropped
    assert "hush" not in str(caught.value)
    with av.open(str(video)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert times[0] == 0
    assert [float(row["time_s"]) for row in rows] == pytest.approx(
        [times[int(row["frame"])] for row in rows], abs=0.002
    )
    assert rows
    assert "hush" not in table.read_text(encoding="utf-8")
    # They all came while the model was loaded, or soon after.
    assert dropped > 0
    assert frames + dropped <= 40


def test_a_stream_that_hangs_up_is_not_left_without_a_word(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.ts").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(film)

        threading.Thread(target=send, daemon=True).start()
        request = AnnotationRequest(
            source=f"tcp://127.0.0.1:{server.getsockname()[1]}", predictions=tmp_path / "out.csv"
        )
        *_, last = annotate(request)
    assert "sends no more pictures" in last.notice
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") > 1


def test_a_stream_without_pictures_names_no_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(AgelensError) as caught:
        run(f"http://ann:hush@127.0.0.1:{port}/live", predictions=tmp_path / "out.csv")
    assert "hush" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_fails_half_way_is_one_sentence_and_the_rows_before_are_kept(
    tmp_path: Path, make_model: MakeModel
) -> None:
    folder, table = tmp_path / "pictures", tmp_path / "table.csv"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), FACE)
    cv2.imwrite(str(folder / "b.png"), np.block([[[FACE], [FACE]], [[FACE], [FACE]]]))
    model = str(make_model(network_change=fail_from_four_faces))
    with pytest.raises(AgelensError, match="Cannot classify faces: the network of the model “tiny” failed") as error:
        run(folder, predictions=table, choice=ModelChoice(model, "cpu"))
    assert "\n" not in str(error.value)
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert row["file"].endswith("a.png")


def test_without_gender_its_columns_are_empty(tmp_path: Path) -> None:
    portrait = write_portrait(tmp_path / "in.png")
    tables = [tmp_path / "with.csv", tmp_path / "without.csv"]
    for table, gender in zip(tables, (True, False), strict=True):
        run(portrait, predictions=table, choice=ModelChoice(gender=gender))
    (known,), (unknown,) = (list(csv.DictReader(table.read_text().splitlines())) for table in tables)
    assert known["gender"] == "Female"
    assert unknown["gender"] == unknown["gender_confidence"] == ""
    columns = known.keys() - {"gender", "gender_confidence", "unsure"}
    assert {name: unknown[name] for name in columns} == {name: known[name] for name in columns}


def detail(picture: NDArray[np.uint8]) -> float:
    """How much of a portrait's face is finer than a few pixels, on average over the pixels."""
    grey = cv2.cvtColor(picture[70:170, 175:275], cv2.COLOR_BGR2GRAY)
    return float(np.median(np.abs(cv2.Laplacian(grey, cv2.CV_64F))))


@pytest.mark.parametrize("privacy", ["faces", "picture"])
@pytest.mark.parametrize("style", ["blur", "pixelate"])
def test_privacy_hides_in_the_output_and_leaves_the_table_as_it_is(
    privacy: PrivacyMode, style: PrivacyStyle, tmp_path: Path
) -> None:
    film = write_film(tmp_path / "in.mp4", frames=4)
    run(film, predictions=tmp_path / "plain.csv")
    run(
        film,
        output=tmp_path / "out.mp4",
        predictions=tmp_path / "hidden.csv",
        style=replace(BARE, privacy=privacy, privacy_style=style),
    )
    assert (tmp_path / "hidden.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) == 4
    # The first picture among them: nothing is shown before faces were looked for.
    assert all(detail(np.asarray(picture, np.uint8)) < detail(FACE) / 4 for picture in pictures)
    # In the corner of the portrait is a flag.
    flag = (slice(20, 500), slice(20, 150))
    kept = np.abs(pictures[-1][flag].astype(int) - FACE[flag]).mean()
    assert kept > 30 if privacy == "picture" else kept < 25


def test_where_looking_for_faces_fails_the_whole_picture_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no graph")

    monkeypatch.setattr(FaceCover, "cover", fail)
    portrait = write_portrait(tmp_path / "in.png")
    run(portrait, output=tmp_path / "out.png", style=replace(BARE, privacy="faces"))
    hidden = np.asarray(cv2.imread(str(tmp_path / "out.png")), np.uint8)
    assert detail(hidden) < detail(FACE) / 4
    # The rest of the picture, too: it is a suit with badges.
    assert cv2.Laplacian(hidden[300:], cv2.CV_64F).std() < cv2.Laplacian(FACE[300:], cv2.CV_64F).std() / 4


def test_a_part_of_a_film_keeps_its_times_and_its_sound(tmp_path: Path) -> None:
    film = write_film_with_sound(tmp_path / "talk.mp4")
    files = {name: tmp_path / f"part{name}" for name in (".mp4", ".json", ".csv")}
    excerpt = Excerpt(1.0, 1.8, 0.2)
    request = AnnotationRequest(
        source=str(film), output=files[".mp4"], report=files[".json"], predictions=files[".csv"], excerpt=excerpt
    )
    assert list(annotate(request))[-1].frames == 4
    with av.open(str(files[".mp4"])) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([0, 0.2, 0.4, 0.6], abs=0.002)
    # The tone is 220 Hz in the first second of the film and 440 Hz in the second one.
    sound = sound_of(files[".mp4"])[4096:20_000]
    assert np.abs(np.fft.rfft(sound)).argmax() * 48_000 / len(sound) == pytest.approx(440, abs=5)
    report = json.loads(files[".json"].read_text(encoding="utf-8"))
    assert (report["frames"], report["duration_s"]) == (4, 0.6)
    assert report["notices"] == [
        "Only the time from 1 s to 1.8 s was looked at.",
        "One frame every 0.2 s was looked at.",
    ]
    assert json.loads((tmp_path / "part.csv.meta.json").read_text())["options"]["every_s"] == 0.2


def test_pictures_have_no_parts(tmp_path: Path) -> None:
    Image.fromarray(FACE[:64, :64]).save(tmp_path / "face.png")
    with pytest.raises(AgelensError, match="pictures have no times"):
        run(tmp_path / "face.png", predictions=tmp_path / "faces.csv", excerpt=Excerpt(every_s=1))
