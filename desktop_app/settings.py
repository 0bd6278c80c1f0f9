"""What the user chose, kept between starts."""

from __future__ import annotations

import dataclasses
import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import platformdirs
from PySide6.QtCore import QByteArray, QSettings

from desktop_app.errors import AgelensError
from desktop_app.media.sources import CameraOptions
from desktop_app.vision.overlay import OverlayStyle

ThemeChoice = Literal["system", "light", "dark"]
LanguageChoice = Literal["system", "en", "zh_CN"]
DetectorMode = Literal["auto", "short", "full"]
ContainerFormat = Literal["mp4", "mkv"]
PredictionFormat = Literal["none", "csv", "jsonl"]

MAX_RECENT: Final = 8
MAX_SIDE: Final = 16_384
"""No camera has more pixels in a row or column."""


def _videos_folder() -> Path:
    return platformdirs.user_videos_path() / "Agelens"


def _pictures_folder() -> Path:
    return platformdirs.user_pictures_path() / "Agelens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is remembered between two starts.

    Attributes:
        source: what was shown last, as `open_source` takes it; empty: the first camera, else the demo.
        recent: files, folders and addresses that were opened, the newest first.
        model: name of a model in the catalogue; empty for the default one.
        provider: ONNX Runtime's execution provider, `auto` or a short name.
        oversample: whether ten views of a face are averaged.
        gender: whether perceived gender is computed and shown.
        detector: which range of faces is looked for.
        min_score: detections below this score (0 to 1) are left out.
        mirror: whether the picture is shown like in a mirror.
        loop: whether a file starts again at its end.
        camera: the format that cameras are asked for.
        style: what is drawn on the picture.
        theme: light, dark, or as the system.
        language: English, Simplified Chinese, or as the system.
        recordings_folder: where recordings go.
        screenshots_folder: where screenshots go.
        container: file format of recordings.
        recording_predictions: what is written beside a recording.
        snapshot_json: whether a JSON file is written beside a screenshot.
        burst_count: pictures in a burst.
        welcomed: whether the first page was read.
        geometry: the window's place, as Qt saves it.
        layout: the panels' places, as Qt saves them.
    """

    source: str = ""
    recent: tuple[str, ...] = ()
    model: str = ""
    provider: str = "auto"
    oversample: bool = False
    gender: bool = True
    detector: DetectorMode = "auto"
    min_score: float = 0.5
    mirror: bool = False
    loop: bool = True
    camera: CameraOptions = field(default_factory=CameraOptions)
    style: OverlayStyle = field(default_factory=OverlayStyle)
    theme: ThemeChoice = "system"
    language: LanguageChoice = "system"
    recordings_folder: Path = field(default_factory=_videos_folder)
    screenshots_folder: Path = field(default_factory=_pictures_folder)
    container: ContainerFormat = "mp4"
    recording_predictions: PredictionFormat = "none"
    snapshot_json: bool = False
    burst_count: int = 5
    welcomed: bool = False
    geometry: bytes = b""
    layout: bytes = b""

    def with_recent(self, spec: str) -> Settings:
        """The same settings with a source put first among the recent ones."""
        others = (one for one in self.recent if one != spec)
        return dataclasses.replace(self, recent=(spec, *others)[:MAX_RECENT])


class SettingsError(AgelensError):
    """The settings cannot be kept."""


class SettingsStore:
    """Keeps `Settings` in the user's own INI file; a value that makes no sense there gives way to the default.

    Args:
        backend: where the values lie; by default the user's INI file for Agelens.
    """

    def __init__(self, backend: QSettings | None = None) -> None:
        self._backend = backend or QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "Agelens", "Agelens"
        )
        self._lock = threading.Lock()

    def load(self) -> Settings:
        """Read what was kept."""
        settings: Settings = self._load(Settings(), "")
        camera, default = settings.camera, CameraOptions()
        sides_fit = 0 < camera.width <= MAX_SIDE and 0 < camera.height <= MAX_SIDE
        if not sides_fit or camera.rate <= 0 or len(camera.fourcc) != len(default.fourcc):
            settings = dataclasses.replace(settings, camera=default)
        if not 0 < settings.min_score < 1:
            settings = dataclasses.replace(settings, min_score=0.5)
        return dataclasses.replace(settings, burst_count=min(max(settings.burst_count, 2), 30))

    def save(self, settings: Settings) -> None:
        """Keep the settings, from any thread; what was selected in the picture is not among them.

        Raises:
            SettingsError: they cannot be written.
        """
        cleaned = dataclasses.replace(settings, style=dataclasses.replace(settings.style, selected=None))
        with self._lock:
            self._save(cleaned, "")
            self._backend.sync()
            with suppress(OSError):
                # The addresses of streams may hold passwords: other users of the machine must not read them.
                Path(self._backend.fileName()).chmod(0o600)
            if self._backend.status() != QSettings.Status.NoError:
                raise SettingsError(
                    f"the settings cannot be kept in {self._backend.fileName()}; make it possible to write there"
                )

    def _load(self, defaults: Any, group: str) -> Any:
        kept = {}
        hints = get_type_hints(type(defaults))
        for one in dataclasses.fields(defaults):
            default = getattr(defaults, one.name)
            key = f"{group}{one.name}"
            if dataclasses.is_dataclass(default):
                kept[one.name] = self._load(default, f"{key}/")
            elif self._backend.contains(key) and default is not None:
                kept[one.name] = self._read(key, hints[one.name], default)
        return dataclasses.replace(defaults, **kept)

    def _read(self, key: str, kind: Any, default: Any) -> Any:
        if kind is bytes:
            return _to_bytes(self._backend.value(key, QByteArray(), type=QByteArray))
        # Asked for as text: INI files hold nothing else, and a number that is none must not become 0.
        text = str(self._backend.value(key, "", type=str))
        try:
            return _parse(text, kind)
        except (ValueError, TypeError):
            return default

    def _save(self, values: Any, group: str) -> None:
        for one in dataclasses.fields(values):
            value = getattr(values, one.name)
            key = f"{group}{one.name}"
            if dataclasses.is_dataclass(value):
                self._save(value, f"{key}/")
            elif isinstance(value, bytes):
                self._backend.setValue(key, QByteArray(value))
            elif value is not None:
                self._backend.setValue(key, json.dumps(value) if isinstance(value, tuple) else str(value))


def load_settings() -> Settings:
    """The settings of the user who runs the program."""
    return SettingsStore().load()


def _parse(text: str, kind: Any) -> Any:
    """A value of one of the settings' types from its text.

    Raises:
        ValueError: the text is no such value.
    """
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(text)
        return text
    if get_origin(kind) is tuple:
        values = json.loads(text)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ValueError(text)
        return tuple(values)
    if kind is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in {"true", "false"} else _reject(text)
    if kind is Path and not text:
        raise ValueError(text)
    if kind is float:
        value = float(text)
        return value if value == value and abs(value) < 1e9 else _reject(text)
    return kind(text)


def _to_bytes(value: object) -> bytes:
    return bytes(value.data()) if isinstance(value, QByteArray) else b""


def _reject(text: str) -> Any:
    raise ValueError(text)
