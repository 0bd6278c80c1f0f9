from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from desktop_app.sources.opening import (
    SourceError,
    SourceKind,
    classify_spec,
    join_files,
    open_source,
    redact_source,
    source_path,
    split_files,
)

SCHEMES = ["http", "https", "rtsp", "rtsps", "rtmp", "udp", "tcp"]


@pytest.fixture
def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one of each: folder `photos`, picture `a.PNG`, video `b.mkv`, unknown `c`, folder `5`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "5").mkdir()
    picture = cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "a.PNG").write_bytes(picture)
    (tmp_path / "photos" / "1.png").write_bytes(picture)
    video = cv2.VideoWriter(str(tmp_path / "b.mkv"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in range(10):
        video.write(np.full((48, 64, 3), level * 20, np.uint8))
    video.release()
    (tmp_path / "c").write_bytes((tmp_path / "b.mkv").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("demo", "demo"),
        (" Demo ", "demo"),
        ("0", "camera"),
        (" 12 ", "camera"),
        ("5", "camera"),
        ("./5", "folder"),
        ("photos", "folder"),
        ("photos/", "folder"),
        ("photos/1.png", "image"),
        ("a.PNG", "image"),
        ("b.mkv", "file"),
        ("c", "file"),
        ("gone.mp4", "file"),
        ("gone.JPG", "image"),
        ("gone/clip", "file"),
        (r"C:\Users\me\clip", "file"),
        ("~/clip", "file"),
        ("/dev/video7", "camera"),
        ("Integrated Camera: Integrated C", "camera"),
        ("Logitech BRIO", "camera"),
        ("²", "camera"),
        ("", "camera"),
        ("RTSP://user:secret@host:554/live?x=1", "stream"),
        ("ftp://host/clip.mp4", "stream"),
        ("a\0b", "camera"),
        ("x" * 5000, "camera"),
    ],
)
def test_specs_mean_what_users_mean(media: Path, spec: str, kind: SourceKind) -> None:
    assert classify_spec(spec) == kind


def test_dropped_files_arrive_as_addresses(media: Path) -> None:
    (media / "with space ü").mkdir()
    assert classify_spec((media / "a.PNG").as_uri()) == "image"
    assert classify_spec((media / "b.mkv").as_uri()) == "file"
    assert classify_spec((media / "with space ü").as_uri()) == "folder"
    with open_source((media / "a.PNG").as_uri()) as source:
        assert source.info.name == "a.PNG"


@given(st.text(max_size=60))
@example("~\0")
@example("~nobody-of-this-name")
def test_classify_spec_takes_any_text_and_knows_its_mind(spec: str) -> None:
    kind = classify_spec(spec)
    assert kind in ("camera", "file", "image", "folder", "stream", "demo")
    assert classify_spec(f"  {spec}\t") == kind


@given(st.integers(0, 10**12))
def test_numbers_are_cameras(number: int) -> None:
    assert classify_spec(str(number)) == "camera"


@given(st.sampled_from(SCHEMES), st.text(max_size=40), st.booleans())
def test_addresses_are_streams_whatever_follows(scheme: str, rest: str, loud: bool) -> None:
    assert classify_spec(f"{scheme.upper() if loud else scheme}://{rest}") == "stream"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='/\\<>:"|?*'), min_size=1))
def test_folders_are_folders_whatever_their_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"x{name[:30]}x"
    folder.mkdir(exist_ok=True)
    assert classify_spec(str(folder)) == "folder"


@pytest.mark.parametrize(
    ("spec", "kind", "frames"),
    [("photos", "folder", 1), ("a.PNG", "image", 1), ("b.mkv", "file", 10), ("c", "file", 10), ("demo", "demo", 600)],
)
def test_sources_open_and_say_what_they_are(media: Path, spec: str, kind: str, frames: int) -> None:
    with open_source(f" {spec} ") as source:
        info = source.info
        frame = source.read()
    assert (info.kind, info.spec, info.frame_count, info.live) == (kind, spec, frames, False)
    assert frame is not None
    assert frame.image.shape == (info.height, info.width, 3)
    assert (frame.index, frame.captured_at) == (0, 0.0)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "none was given"),
        ("  ", "none was given"),
        ("gone.mp4", "“gone.mp4”: there is no such file or folder"),
        ("gone.jpg", "“gone.jpg”: there is no such file or folder"),
        ("gone/there", "there is no such file or folder"),
        ("bad\0name.mp4", "no valid path"),
        ("text.mp4", "“text.mp4”: it is damaged or is not a video"),
        ("text.png", "“text.png”: it is damaged or is not a picture"),
        ("empty", "contains no pictures"),
        ("97", "Cannot find the camera “97”"),
        ("No Such Camera", "Cannot find the camera “No Such Camera”"),
        ("ftp://host/x", "ftp://"),
        ("http://", "names no computer"),
        ("http://[::1", "names no computer"),
        ("rtsp:/host/x", "Write it as rtsp://host/path"),
        ("rtsp://127.0.0.1:1/x", "Cannot open “rtsp://127.0.0.1:1/x”"),
    ],
)
def test_bad_input_gives_one_sentence(media: Path, spec: str, says: str) -> None:
    (media / "text.mp4").write_text("hello\n" * 300)
    (media / "text.png").write_text("hello\n" * 300)
    (media / "empty").mkdir()
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "Traceback" not in message
    assert "Error" not in message


def test_opening_can_be_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(SourceError, match="was cancelled"):
        open_source("udp://127.0.0.1:45999", cancel=cancel)


@pytest.mark.parametrize(
    "spec",
    [
        "http://ann:hush@/x",
        "http://ann:hush@[::1/x",
        "rtsp:/ann:hush@127.0.0.1/x",
        "http://ann:a/hush@127.0.0.1:1/x",
        "http://ann:12#hush@127.0.0.1:1/x",
        "gopher://ann:hush@127.0.0.1/x",
    ],
)
def test_no_sentence_holds_a_password_however_the_address_is_written(spec: str) -> None:
    assert "hush" not in redact_source(spec)
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    assert "hush" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows drops blanks at the end of names")
def test_blanks_that_belong_to_a_name_are_kept(media: Path) -> None:
    (media / "a.PNG").rename(" a.png")
    (media / "b.mkv").rename("b.mkv ")
    for spec, kind in ((" a.png", "image"), ("b.mkv ", "file")):
        assert classify_spec(spec) == kind
        with open_source(spec) as source:
            assert source.info.name == spec


def test_the_path_that_is_meant(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(media))
    monkeypatch.setenv("USERPROFILE", str(media))
    for spec in ("b.mkv", " b.mkv ", "~/b.mkv", (media / "b.mkv").as_uri(), "./b.mkv"):
        path = source_path(spec)
        assert path is not None
        assert path.samefile(media / "b.mkv")
    assert source_path("gone.mp4") == Path("gone.mp4")
    for spec in ("demo", "0", "http://host/b.mkv", "HD Webcam"):
        assert source_path(spec) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_rather_than_waited_for(media: Path) -> None:
    os.mkfifo(media / "pipe.mkv")
    with pytest.raises(SourceError, match="it is a pipe, not a file"):
        open_source("pipe.mkv")


def test_several_pictures_are_one_source_in_the_order_that_is_given(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("10.png", "2.png", "broken.png", "other/7.png")]
    (tmp_path / "other").mkdir()
    png = cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
    for path in paths:
        path.write_bytes(png if path.name != "broken.png" else b"no picture")
    spec = join_files(paths)
    assert split_files(spec) == tuple(paths)
    assert (classify_spec(spec), source_path(spec), split_files(str(paths[0]))) == ("folder", None, ())
    with open_source(spec) as source:
        assert len(source.info.pictures) == 4
        assert [frame.origin for frame in iter(source.read, None)] == ["10.png", "2.png", "7.png"]
        assert [file.path for file in source.info.pictures] == [paths[0], paths[1], paths[3]]
        assert source.info.spec == spec
