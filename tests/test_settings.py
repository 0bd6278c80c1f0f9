"""Settings survive a restart, and whatever stands in their file, the program starts."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as campaign
from hypothesis import strategies as st

from desktop_app.settings import MAX_FILE_BYTES, MAX_RECENT, Settings, SettingsError, SettingsStore
from desktop_app.sources.camera_controls import KeptControl
from desktop_app.sources.opening import CameraOptions
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agelens" / "settings.json"


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    return tmp_path / "Agelens.ini"


def kept(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_first_start_gives_the_defaults_and_has_nothing_to_say(file: Path, ini: Path) -> None:
    store = SettingsStore(file, ini=ini)
    assert store.load() == Settings()
    assert store.problem is None


def test_every_kind_of_value_comes_back(file: Path) -> None:
    settings = Settings(
        source="/videos/été, 100 %.mp4",
        recent=("rtsp://host/a,b;c", "/videos/one.mp4", "C:\\films\\two.mkv"),
        provider="cpu",
        oversample=True,
        detector="full",
        min_score=0.35,
        camera=CameraOptions(width=1920, height=1080, rate=59.94, backend="v4l2", fourcc="YUYV"),
        camera_controls=(KeptControl("Webcam", "exposure", False, 120), KeptControl("Cam", "focus", None, None)),
        style=OverlayStyle(boxes=False, privacy="picture", privacy_style="pixelate", landmarks=True),
        lines=(Line(0.5, 0, 0.5, 1), Line(0, 0.25, 1, 0.75)),
        theme="light",
        language="zh_CN",
        recordings_folder=Path("/a folder/with spaces"),
        container="mkv",
        recording_predictions="csv",
        burst_count=9,
        welcomed=True,
        geometry=bytes(range(256)),
    )
    SettingsStore(file).save(settings)
    assert SettingsStore(file).load() == settings


def test_each_control_of_each_camera_is_kept_once() -> None:
    settings = Settings()
    for value in range(3):
        for camera in ("One", "Two"):
            settings = settings.with_control(KeptControl(camera, "focus", False, value))
    settings = settings.with_control(KeptControl("One", "exposure", True, 9))
    assert [(one.camera, one.name, one.value) for one in settings.camera_controls] == [
        ("One", "focus", 2),
        ("Two", "focus", 2),
        ("One", "exposure", 9),
    ]
    assert [one.camera for one in settings.without_controls("One").camera_controls] == ["Two"]
    for number in range(200):
        settings = settings.with_control(KeptControl(f"Camera {number}", "focus", False, number))
    assert len(settings.camera_controls) <= 60


def test_lists_of_thousands_of_files_do_not_make_the_settings_unreadable(file: Path) -> None:
    long = "\n".join(f"/holidays/{'é' * 40}/IMG_{number}.jpg" for number in range(20_000))
    settings = Settings(
        source=long, theme="light", recent=(long, "/one.mp4", *(f"{long}{index}" for index in range(6)))
    )
    SettingsStore(file).save(settings)
    store = SettingsStore(file)
    assert store.load() == replace(settings, source="", recent=("/one.mp4",))
    assert store.problem is None
    few = replace(settings, source="/a.mp4\n/b.mp4")
    SettingsStore(file).save(few)
    assert SettingsStore(file).load().source == few.source


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the user's files to the user by itself")
def test_nobody_else_can_read_the_passwords_of_streams(file: Path) -> None:
    SettingsStore(file).save(Settings(source="rtsp://user:secret@host/live"))
    assert "secret" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_what_belongs_to_the_picture_is_not_kept(file: Path) -> None:
    SettingsStore(file).save(Settings(style=OverlayStyle(selected=7, words=(("Male", "男"),), status=("x",))))
    assert SettingsStore(file).load().style == OverlayStyle()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("theme", "pink"),
        ("min_score", float("nan")),
        ("min_score", 7),
        ("mirror", "perhaps"),
        ("lines", [{"x1": 0, "y1": 0, "x2": 1, "y2": float("nan")}]),
        ("lines", [{"x1": 0, "y1": 0, "x2": 0.001, "y2": 0}]),
        ("lines", [{"x1": 0, "y1": 0, "x2": 1, "y2": 1}] * 3),
        ("burst_count", "many"),
        ("recent", [1, 2]),
        ("recent", "{"),
        ("recordings_folder", ""),
        ("recordings_folder", "/a\0b"),
        ("geometry", "a"),
        ("geometry", f"{'0' * 64} {'AAAA' * 20}"),
        ("layout", [1]),
        ("source", None),
        ("camera", []),
        ("camera", {"width": -5}),
        ("camera", {"width": 10**19}),
        ("camera", {"rate": float("inf")}),
        ("camera", {"rate": {}}),
        ("camera", {"fourcc": "MJPEG"}),
        ("style", {"boxes": "invisible"}),
    ],
)
def test_an_invalid_value_gives_way_to_the_default_and_is_named(file: Path, key: str, value: object) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({key: value, "provider": "cuda", "from_a_later_version": 1}), encoding="utf-8")
    store = SettingsStore(file)
    assert store.load() == Settings(provider="cuda")
    assert str(store.problem).startswith(f"Some settings are invalid and were replaced by the defaults: {key}")
    store.save(Settings(provider="cuda"))
    assert store.load() == Settings(provider="cuda")
    assert store.problem is None


DAMAGED = {
    "binary": bytes(range(256)),
    "brackets": b"[" * 3000,
    "deep": b'{"a":' * 100_000,
    "list": b"[1, 2]",
    "digits": b'{"burst_count": 1' + b"0" * 5000 + b"}",
    "empty": b"",
    "large": b" " * (MAX_FILE_BYTES + 1),
    "nul": b'{"source": "a\0b"}',
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_told_once_and_replaced(file: Path, kind: str) -> None:
    file.parent.mkdir()
    file.write_bytes(DAMAGED[kind])
    store = SettingsStore(file)
    assert store.load() == Settings()
    assert str(store.problem).startswith(f"Cannot read the settings in “{file}”: ")
    assert str(store.problem).endswith(" Agelens starts with the defaults.")
    assert "\n" not in str(store.problem)
    store.save(Settings(theme="dark"))
    assert SettingsStore(file).load() == Settings(theme="dark")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are the system's own")
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "sparse", "below a file"])
def test_what_is_no_file_of_settings_does_not_stop_a_start(file: Path, kind: str) -> None:
    if kind == "below a file":
        file.parent.write_text("no folder")
    else:
        file.parent.mkdir()
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "loop":
        file.symlink_to(file.name)
    elif kind == "sparse":
        with file.open("wb") as stream:
            stream.truncate(1 << 40)
    store = SettingsStore(file)
    assert store.load() == Settings()
    assert "Cannot read the settings" in str(store.problem)
    if kind == "sparse":
        store.save(Settings())
        return
    with pytest.raises(SettingsError, match="Cannot save the settings in"):
        store.save(Settings())
    assert not list(file.parent.parent.rglob(".settings-*"))


def test_without_a_home_folder_nothing_is_kept_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SettingsStore(Path("~/.config/Agelens/settings.json"))
    assert store.load() == Settings()
    with pytest.raises(SettingsError, match="Cannot save the settings"):
        store.save(Settings())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names of files are Unicode text there")
def test_names_that_are_no_text_are_left_out(file: Path) -> None:
    odd = os.fsdecode(b"/films/\xff.mp4")
    SettingsStore(file).save(Settings(source=odd, recent=(odd, "/a.mp4"), recordings_folder=Path(odd), theme="dark"))
    assert SettingsStore(file).load() == Settings(recent=("/a.mp4",), theme="dark")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    (tmp_path / "elsewhere.json").write_text("{}")
    file.symlink_to(tmp_path / "elsewhere.json")
    SettingsStore(file).save(Settings(theme="dark"))
    assert file.is_symlink()
    assert kept(tmp_path / "elsewhere.json")["theme"] == "dark"


def test_windows_that_save_at_the_same_time_leave_one_whole_file(file: Path) -> None:
    def save_often(theme: Any) -> None:
        store = SettingsStore(file)
        for count in range(20):
            store.save(Settings(theme=theme, recent=(theme * 1000,), burst_count=count + 2))

    threads = [threading.Thread(target=save_often, args=(theme,)) for theme in ("dark", "light")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store = SettingsStore(file)
        store.load()
        assert store.problem is None
    for thread in threads:
        thread.join()
    assert [one.name for one in file.parent.iterdir()] == ["settings.json"]


OLD = """[General]
burst_count=9
geometry=@ByteArray(\\x1\\xd9\\xd0\\xcb)
min_score=0.35
mirror=true
recent="[\\"rtsp://host/a,b;c\\", \\"/videos/\\x4e2d\\xd83d\\xde00.mp4\\"]"
recordings_folder=/a folder/with spaces
source="/videos/\\xe9t\\xe9, 100 %.mp4"
theme=pink
welcomed=true

[camera]
rate=59.94
width=1920

[style]
boxes=false
words=[]
"""


def test_the_settings_of_earlier_versions_are_taken_over(file: Path, ini: Path) -> None:
    ini.write_text(OLD, encoding="utf-8")
    store = SettingsStore(file, ini=ini)
    settings = store.load()
    assert settings == Settings(
        burst_count=9,
        min_score=0.35,
        mirror=True,
        recent=("rtsp://host/a,b;c", "/videos/中😀.mp4"),
        recordings_folder=Path("/a folder/with spaces"),
        source="/videos/été, 100 %.mp4",
        welcomed=True,
        camera=CameraOptions(width=1920, rate=59.94),
        style=OverlayStyle(boxes=False),
    )
    assert "theme" in str(store.problem)
    store.save(settings)
    ini.write_bytes(b"\xff")
    assert SettingsStore(file, ini=ini).load() == settings


def test_a_binary_value_of_an_earlier_version_cannot_stop_a_start(file: Path, ini: Path) -> None:
    # Qt reserves the 2 billion entries that it states, and aborts.
    ini.write_bytes(b"[General]\nsource=@Variant(\\0\\0\\0\\t\\x7f\\xff\\xff\\xff)\nmirror=true\n")
    store = SettingsStore(file, ini=ini)
    assert store.load() == Settings(mirror=True)
    assert str(store.problem) == "Some settings are invalid and were replaced by the defaults: source."


@pytest.mark.slow
@campaign(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(["{", OLD]), at=st.integers(0, 600), put=st.binary(max_size=12), cut=st.integers(0, 20))
def test_no_change_to_a_file_stops_a_start(tmp_path: Path, start: str, at: int, put: bytes, cut: int) -> None:
    file, ini = tmp_path / "settings.json", tmp_path / "Agelens.ini"
    if start == "{":
        SettingsStore(file).save(Settings(recent=("a", "b"), geometry=b"abc"))
        changed = file
    else:
        file.unlink(missing_ok=True)
        ini.write_text(OLD, encoding="utf-8")
        changed = ini
    data = changed.read_bytes()
    changed.write_bytes(data[:at] + put + data[at + cut :])
    store = SettingsStore(file, ini=ini)
    settings = store.load()
    assert "\n" not in str(store.problem)
    store.save(settings)
    assert SettingsStore(file, ini=ini).load() == settings


def test_recent_sources_are_few_and_new_ones_come_first() -> None:
    settings = Settings()
    for number in range(MAX_RECENT + 3):
        settings = settings.with_recent(f"{number}.mp4")
    settings = settings.with_recent("5.mp4")
    assert settings.recent[:2] == ("5.mp4", f"{MAX_RECENT + 2}.mp4")
    assert len(settings.recent) == MAX_RECENT
    assert len(set(settings.recent)) == MAX_RECENT


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the place is the system's, not a variable's")
def test_tests_have_settings_of_their_own(isolated_user: Path) -> None:
    assert SettingsStore().load() == Settings()
    SettingsStore().save(replace(Settings(), source="demo"))
    assert SettingsStore().load().source == "demo"
    assert list(isolated_user.rglob("settings.json"))


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ({"privacy": "blur"}, ("faces", "blur")),
        ({"privacy": "pixelate"}, ("faces", "pixelate")),
        ({"privacy": "off"}, ("off", "blur")),
        ({"privacy": "heads", "privacy_style": "pixelate"}, ("picture", "pixelate")),
        ({"privacy": None}, ("picture", "blur")),
        ({"privacy": ["off"], "privacy_style": 7, "boxes": "perhaps"}, ("picture", "blur")),
        ("blur", ("faces", "blur")),
        (5, ("picture", "blur")),
        ({}, ("off", "blur")),
    ],
)
def test_no_kept_privacy_mode_comes_back_as_a_weaker_one(file: Path, style: object, kept: tuple[str, str]) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"style": style}))
    store = SettingsStore(file)
    loaded = store.load().style
    assert (loaded.privacy, loaded.privacy_style) == kept
    assert ("privacy mode" in str(store.problem)) == (kept[0] == "picture")
