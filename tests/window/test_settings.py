"""Settings survive a restart, and nonsense in the file does no harm."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from desktop_app.media.sources import CameraOptions
from desktop_app.settings import MAX_RECENT, Settings, SettingsError, SettingsStore, load_settings
from desktop_app.vision.overlay import OverlayStyle


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    return tmp_path / "agelens.ini"


def store_at(path: Path) -> SettingsStore:
    return SettingsStore(QSettings(str(path), QSettings.Format.IniFormat))


def test_first_start_gives_the_defaults(ini: Path) -> None:
    assert store_at(ini).load() == Settings()


def test_every_kind_of_value_comes_back(ini: Path) -> None:
    settings = Settings(
        source="/videos/été, 100 %.mp4",
        recent=("rtsp://host/a,b;c", "/videos/one.mp4", "C:\\films\\two.mkv"),
        provider="cpu",
        oversample=True,
        detector="full",
        min_score=0.35,
        camera=CameraOptions(width=1920, height=1080, rate=59.94, backend="v4l2", fourcc="YUYV"),
        style=OverlayStyle(boxes=False, privacy="pixelate", landmarks=True),
        theme="light",
        language="zh_CN",
        recordings_folder=Path("/a folder/with spaces"),
        container="mkv",
        recording_predictions="csv",
        burst_count=9,
        welcomed=True,
        geometry=bytes(range(256)),
    )
    store_at(ini).save(settings)
    assert store_at(ini).load() == settings


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the user's files to the user by itself")
def test_nobody_else_can_read_the_passwords_of_streams(ini: Path) -> None:
    store_at(ini).save(Settings(source="rtsp://user:secret@host/live"))
    assert "secret" in ini.read_text()
    assert ini.stat().st_mode & 0o077 == 0


def test_settings_that_cannot_be_kept_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingsError, match="the settings cannot be kept in"):
        store_at(tmp_path / "file" / "agelens.ini").save(Settings())


def test_a_single_recent_source_stays_a_list(ini: Path) -> None:
    store_at(ini).save(Settings(recent=("demo.mp4",)))
    assert store_at(ini).load().recent == ("demo.mp4",)


def test_selection_is_not_kept(ini: Path) -> None:
    store_at(ini).save(Settings(style=OverlayStyle(selected=7)))
    assert store_at(ini).load().style.selected is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("theme", "pink"),
        ("min_score", "nan"),
        ("min_score", "7"),
        ("mirror", "perhaps"),
        ("burst_count", "many"),
        ("recent", "[1, 2]"),
        ("recent", "{"),
        ("camera/width", "-5"),
        ("camera/width", "99999999999999999999"),
        ("camera/rate", "inf"),
        ("camera/fourcc", "MJPEG"),
        ("recordings_folder", ""),
        ("style/privacy", "invisible"),
    ],
)
def test_nonsense_gives_way_to_the_default(ini: Path, key: str, text: str) -> None:
    backend = QSettings(str(ini), QSettings.Format.IniFormat)
    backend.setValue(key, text)
    backend.setValue("provider", "cuda")
    backend.sync()
    assert store_at(ini).load() == Settings(provider="cuda")


def test_recent_sources_are_few_and_new_ones_come_first() -> None:
    settings = Settings()
    for number in range(MAX_RECENT + 3):
        settings = settings.with_recent(f"{number}.mp4")
    settings = settings.with_recent("5.mp4")
    assert settings.recent[:2] == ("5.mp4", f"{MAX_RECENT + 2}.mp4")
    assert len(settings.recent) == MAX_RECENT
    assert len(set(settings.recent)) == MAX_RECENT


def test_tests_have_settings_of_their_own(isolated_user: Path) -> None:
    assert load_settings() == Settings()
    SettingsStore().save(replace(Settings(), source="demo"))
    assert load_settings().source == "demo"
    assert list((isolated_user / "settings").rglob("*.ini"))
