"""User settings, kept between starts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

from desktop_app.analytics.crossings import MAX_LINES
from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.paths import languages
from desktop_app.preferences import GENERAL, PRIVACY, RECOGNITION, SAVING, Preference
from desktop_app.sources.camera_controls import KeptControl
from desktop_app.sources.opening import CameraOptions
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Line
from desktop_app.vision.privacy.concealment import carry_over

ThemeChoice = Literal["system", "light", "dark"]
DetectorMode = Literal["auto", "short", "full"]
ContainerFormat = Literal["mp4", "mkv"]
PredictionFormat = Literal["none", "csv", "jsonl"]

MAX_RECENT: Final = 8
MAX_KEPT_CONTROLS: Final = 60
MAX_SIDE: Final = 16_384
"""No camera has more pixels in a row or column."""
MAX_RATE: Final = 1000.0
MAX_FILE_BYTES: Final = 1 << 20
"""What is kept takes a hundredth of that, lists of files half of it."""
MAX_SPEC_BYTES: Final = 50_000
"""A longer list of files is not kept: some of them would make the file unreadable."""
BURST_COUNTS: Final = (2, 30)
_SYSTEM: Final = Message("Use system setting")


def _seal(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()} {base64.b64encode(data).decode()}" if data else ""


def _unseal(value: object) -> object:
    if not isinstance(value, str):
        return value
    digest, _, text = value.partition(" ")
    data = base64.b64decode(text)
    if value and hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("it was changed")
    return data


def _language_choices() -> list[str]:
    return ["system", *languages()]


def _check_language(value: str) -> str:
    if value not in _language_choices():
        raise ValueError("there is no such language")
    return value


SealedBytes = Annotated[bytes, PlainSerializer(_seal), BeforeValidator(_unseal)]
"""Binary values of Qt's, kept with their checksum: Qt crashes on some that were changed."""


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
        model: see `ModelChoice`, as `provider`, `oversample` and `gender`.
        provider: of the networks.
        mirror: whether the picture is shown like in a mirror.
        loop: whether a file starts again at its end.
        theme: light, dark, or as the system.
        language: the code of one of `paths.languages`, or `system`.
        camera: the format that cameras are asked for.
        camera_controls: what was chosen for single cameras, the newest last.
        detector: which range of faces is looked for.
        min_score: detections below this score (0 to 1) are left out.
        oversample: whether ten views of a face are averaged.
        style: what is drawn on the picture.
        lines: whose crossings are counted, in the picture as its source gives it.
        gender: whether perceived gender is computed and shown.
        recordings_folder: where recordings go.
        container: file format of recordings.
        recording_predictions: what is written beside a recording.
        screenshots_folder: where screenshots go.
        snapshot_json: whether a JSON file is written beside a screenshot.
        shutter_delay_s: seconds from the command to the screenshot or burst.
        burst_count: pictures in a burst.
        welcomed: whether the first page was read.
        geometry: the window's place, as Qt saves it.
        layout: the panels' places, as Qt saves them.
    """

    source: str = ""
    recent: tuple[str, ...] = ()
    model: str = ""
    provider: str = "auto"
    mirror: bool = False
    loop: bool = True
    theme: Annotated[
        ThemeChoice,
        Preference(
            page=GENERAL,
            label=Message("Theme"),
            texts={"system": _SYSTEM, "light": Message("Light"), "dark": Message("Dark")},
        ),
    ] = "system"
    language: Annotated[
        str,
        AfterValidator(_check_language),
        Preference(
            page=GENERAL,
            label=Message("Language"),
            choices=_language_choices,
            texts={"system": _SYSTEM},
            languages=True,
        ),
    ] = "system"
    camera: CameraOptions = field(default_factory=CameraOptions)
    camera_controls: tuple[KeptControl, ...] = ()
    detector: Annotated[
        DetectorMode,
        Preference(
            page=RECOGNITION,
            label=Message("Face distance"),
            texts={
                "auto": Message("Automatic"),
                "short": Message("Near faces (fast)"),
                "full": Message("Near and far faces"),
            },
        ),
    ] = "auto"
    min_score: Annotated[
        float,
        Field(gt=0, lt=1),
        Preference(
            page=RECOGNITION,
            label=Message("Minimum detection confidence"),
            limits=(0.1, 0.95),
            step=0.05,
            tool_tip=Message("Higher: fewer mistakes, and fewer faces found"),
        ),
    ] = 0.5
    oversample: Annotated[
        bool,
        Preference(
            page=RECOGNITION,
            label=Message("Average ten views of each face"),
            hint=Message("Ten views are a little more accurate and about ten times as much work."),
        ),
    ] = False
    style: OverlayStyle = field(default_factory=OverlayStyle)
    lines: tuple[Line, ...] = ()
    gender: Annotated[
        bool,
        Preference(
            page=PRIVACY,
            label=Message("Compute perceived gender"),
            hint=Message("Without it gender is neither computed nor shown, and its columns stay empty."),
        ),
    ] = True
    recordings_folder: Annotated[Path, Preference(page=SAVING, label=Message("Recordings"))] = field(
        default_factory=_videos_folder
    )
    container: Annotated[
        ContainerFormat,
        Preference(
            page=SAVING,
            label=Message("File format"),
            texts={"mp4": "MP4 (H.264)", "mkv": "MKV (H.264)"},
        ),
    ] = "mp4"
    recording_predictions: Annotated[
        PredictionFormat,
        Preference(
            page=SAVING,
            label=Message("Save predictions with recordings"),
            texts={"none": Message("Nothing"), "csv": "CSV", "jsonl": "JSON lines"},
        ),
    ] = "none"
    screenshots_folder: Annotated[Path, Preference(page=SAVING, label=Message("Screenshots"))] = field(
        default_factory=_pictures_folder
    )
    snapshot_json: Annotated[bool, Preference(page=SAVING, label=Message("Also write a JSON file"))] = False
    shutter_delay_s: Annotated[
        Literal[0, 3, 5, 10],
        Preference(
            page=SAVING,
            label=Message("Shutter delay"),
            texts={0: Message("None")},
            unit="s",
        ),
    ] = 0
    burst_count: Annotated[
        int,
        Preference(
            page=SAVING,
            label=Message("Pictures in a burst"),
            limits=BURST_COUNTS,
            hint=Message("Recordings have no sound: Agelens never listens."),
        ),
    ] = 5
    welcomed: bool = False
    geometry: SealedBytes = b""
    layout: SealedBytes = b""

    @property
    def choice(self) -> ModelChoice:
        """The model that is to run, and how."""
        return ModelChoice(self.model, self.provider, self.oversample, self.gender)

    def with_recent(self, spec: str) -> Settings:
        """The same settings with a source put first among the recent ones."""
        others = (one for one in self.recent if one != spec)
        return dataclasses.replace(self, recent=(spec, *others)[:MAX_RECENT])

    def with_control(self, kept: KeptControl) -> Settings:
        """The same settings with another choice for a control of a camera."""
        others = (one for one in self.camera_controls if (one.camera, one.name) != (kept.camera, kept.name))
        return dataclasses.replace(self, camera_controls=(*others, kept)[-MAX_KEPT_CONTROLS:])

    def without_controls(self, camera: str) -> Settings:
        """The same settings with no choice for the controls of a camera."""
        others = tuple(one for one in self.camera_controls if one.camera != camera)
        return dataclasses.replace(self, camera_controls=others)


class SettingsError(AgelensError):
    """The settings cannot be kept."""


_NOT_KEPT: Final = {"style": {"selected", "words", "status"}}
"""What belongs to the picture that is shown, not to the user's choice."""


class SettingsStore:
    """Keeps `Settings` in a JSON file of the user's own; whatever stands in its place, the program starts.

    Args:
        path: the file; by default `settings.json` in the user's folder for Agelens.
        ini: the file of versions that kept an INI file, read where the other is missing; by default where those had it.
        kind: what is kept.
    """

    def __init__(self, path: Path | None = None, *, ini: Path | None = None, kind: type[Settings] = Settings) -> None:
        self._path = path or platformdirs.user_config_path("Agelens", appauthor=False) / "settings.json"
        self._ini = ini or (_old_path() if path is None else None)
        self._adapter = TypeAdapter(kind)
        self._lock = threading.Lock()
        self._problem: Message | None = None

    @property
    def problem(self) -> Message | None:
        """What `load` could not read."""
        return self._problem

    def load(self) -> Settings:
        """Read what was kept; a value that is invalid, or all of them, give way to the defaults."""
        self._problem = None
        values = self._read(self._path, json.loads)
        if values is None and self._ini is not None:
            values = self._read(self._ini, _parse_ini)
        values = values if isinstance(values, dict) else {}
        known = _carry_over_privacy(values)
        settings, invalid = _validate(values, self._adapter)
        if not known:
            self._problem = Message(
                "Cannot use the saved privacy mode: it is unknown. The whole picture is hidden; choose a mode."
            )
        if invalid and not self._problem:
            self._problem = Message(
                "Some settings are invalid and were replaced by the defaults: {names}.", names=", ".join(invalid)
            )
        return settings

    def save(self, settings: Settings) -> None:
        """Keep the settings, from any thread or process; the file is replaced whole.

        Raises:
            SettingsError: they cannot be written.
        """
        data = self._adapter.dump_json(_as_text(settings), indent=2, exclude=_NOT_KEPT)
        try:
            with self._lock:
                self._write(data)
        except (OSError, RuntimeError, ValueError) as error:
            raise SettingsError(
                "Cannot save the settings in “{path}”: writing there is not possible. Check the folder and its disk.",
                path=self._path,
            ) from error

    def _read(self, path: Path, parse: Callable[[str], Any]) -> Any:
        """What a file holds; None where there is none."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                # A pipe could make the start wait for ever.
                raise SettingsError("it is not a file")
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise SettingsError("it is too large")
            values = parse(data.decode("utf-8"))
            if not isinstance(values, dict):
                raise SettingsError("it contains no settings")
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._start_anew(path, error.strerror or Message("it cannot be read"))
        except RecursionError:
            return self._start_anew(path, Message("it is nested too deeply"))
        except ValueError:
            return self._start_anew(path, Message("it is damaged"))
        except SettingsError as error:
            return self._start_anew(path, error.message)
        return values

    def _start_anew(self, path: Path, reason: Message | str) -> dict[str, Any]:
        self._problem = Message(
            "Cannot read the settings in “{path}”: {reason}. Agelens starts with the defaults.",
            path=path,
            reason=reason,
        )
        return {}

    def _write(self, data: bytes) -> None:
        if not self._path.is_absolute():
            raise ValueError("this user has no home folder")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A link keeps pointing where it did: the file behind it is replaced.
        target = self._path.resolve()
        if target.exists() and not target.is_file():
            raise ValueError("it is not a file")
        # Made for its owner alone: the addresses of streams may hold passwords.
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".settings-")
        try:
            with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor
                stream.write(data)
            Path(name).replace(target)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise


def _validate(values: dict[str, Any], adapter: TypeAdapter[Settings]) -> tuple[Settings, list[str]]:
    """The settings of these values, and the names of invalid ones, for which the defaults are used."""
    invalid: list[str] = []
    while True:
        try:
            settings = adapter.validate_python(values)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_context=False, include_input=False):
                name = _remove(values, one["loc"])
                invalid += [name] if name not in invalid else []
            continue
        return _within_bounds(settings, invalid), invalid


def _carry_over_privacy(values: dict[str, Any]) -> bool:
    """Read the privacy mode before all else: no value of it, however wrong or old, may end as "off".

    Returns:
        Whether it is known what was kept.
    """
    style = values.get("style", {})
    if not isinstance(style, dict):
        style = values["style"] = {"privacy": style}
    if "privacy" not in style:
        return True
    kept = style["privacy"]
    style["privacy"], kept_style = carry_over(kept)
    if kept_style is not None:
        style["privacy_style"] = kept_style
    return kept == style["privacy"] or kept_style is not None


def _remove(values: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """Remove the innermost named value at a location in nested tables, and return its name."""
    names = [str(key) for key in location]
    for depth, key in enumerate(names):
        inner = values.get(key)
        if depth == len(names) - 1 or not isinstance(inner, dict):
            values.pop(key, None)
            return ".".join(names[: depth + 1])
        values = inner
    values.clear()
    return ""


def _within_bounds(settings: Settings, invalid: list[str]) -> Settings:
    """The settings within limits that types do not express; names of invalid ones are added to `invalid`."""
    camera, defaults = settings.camera, Settings()
    sides_fit = 0 < camera.width <= MAX_SIDE and 0 < camera.height <= MAX_SIDE
    if not sides_fit or not 0 < camera.rate <= MAX_RATE or len(camera.fourcc) != len(defaults.camera.fourcc):
        settings = dataclasses.replace(settings, camera=defaults.camera)
        invalid.append("camera")
    for name in ("recordings_folder", "screenshots_folder"):
        folder = getattr(settings, name)
        if folder == Path() or "\0" in str(folder):
            settings = dataclasses.replace(settings, **{name: getattr(defaults, name)})
            invalid.append(name)
    if len(settings.lines) > MAX_LINES or not all(line.is_valid for line in settings.lines):
        settings = dataclasses.replace(settings, lines=defaults.lines)
        invalid.append("lines")
    low, high = BURST_COUNTS
    return dataclasses.replace(
        settings, burst_count=min(max(settings.burst_count, low), high), recent=settings.recent[:MAX_RECENT]
    )


def _as_text(settings: Settings) -> Settings:
    """The settings without file names that are not Unicode text, which JSON cannot hold, and without long lists."""
    defaults = Settings()
    lacking = [one.name for one in dataclasses.fields(settings) if not _is_text(str(getattr(settings, one.name)))]
    if not _can_be_kept(settings.source):
        lacking.append("source")
    recent = tuple(filter(_can_be_kept, settings.recent))
    return dataclasses.replace(settings, recent=recent, **{name: getattr(defaults, name) for name in lacking})


def _can_be_kept(spec: str) -> bool:
    return _is_text(spec) and len(spec.encode()) <= MAX_SPEC_BYTES


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _old_path() -> Path:
    """Where Qt kept the settings of earlier versions."""
    folder = os.environ.get("APPDATA") if sys.platform == "win32" else os.environ.get("XDG_CONFIG_HOME")
    return Path(folder or os.path.expanduser("~/.config")) / "Agelens" / "Agelens.ini"  # noqa: PTH111 - never raises


_ESCAPE: Final = re.compile(r"\\(x[0-9A-Fa-f]{1,4}|.)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


_LEFT_OUT: Final = ("@ByteArray", '"@ByteArray', "@Invalid")
"""The window's place is not worth a reader of Qt's binary values."""


def _parse_ini(text: str) -> dict[str, Any]:
    """The plain values of Qt's INI format; binary ones (`@ByteArray`, `@Variant`) are unsafe and left out."""
    values: dict[str, Any] = {}
    group = values
    for line in map(str.strip, text.splitlines()):
        key, equals, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
            group = values if name == "General" else values.setdefault(name, {})
            # Asked again below what it is: a key may have the same name.
            group = group if isinstance(group, dict) else {}
        elif equals and not key.startswith(";") and not value.startswith(_LEFT_OUT):
            group[key] = _parse_value(key, _unescape(value))
    return values


def _parse_value(key: str, text: str) -> Any:
    if key == "recent":
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    if text.startswith("@"):
        # Binary, unless it is a text that begins so.
        return text[1:] if text.startswith("@@") else None
    return text


def _unescape(value: str) -> str:
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    text = _ESCAPE.sub(
        lambda match: chr(int(match[1][1:], 16)) if len(match[1]) > 1 else _ESCAPES.get(match[1], match[1]), value
    )
    # Qt counts in UTF-16.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
