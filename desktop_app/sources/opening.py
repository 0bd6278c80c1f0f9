"""Opens what a user gives as SOURCE: camera, file, folder, stream or demo."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from desktop_app.sources.base import Source, SourceError, SourceInfo, SourceKind, SourceStalledError
from desktop_app.sources.cameras import CameraOptions, open_camera
from desktop_app.sources.demo import DemoSource
from desktop_app.sources.films.animations import AnimationSource
from desktop_app.sources.films.video_files import VideoFileSource
from desktop_app.sources.network.addresses import STREAM_SCHEMES, redact_url
from desktop_app.sources.pictures.decoding import open_animation
from desktop_app.sources.pictures.stills import (
    IMAGE_SUFFIXES,
    PICTURE_SUFFIXES,
    FolderSource,
    HeicError,
    ImageSource,
)
from desktop_app.sources.playlist import PlaylistSource

__all__ = [
    "CameraOptions",
    "IMAGE_SUFFIXES",
    "Source",
    "SourceError",
    "SourceInfo",
    "SourceKind",
    "SourceStalledError",
    "VIDEO_SUFFIXES",
    "classify_files",
    "classify_spec",
    "is_address",
    "join_files",
    "open_source",
    "redact_source",
    "source_path",
    "split_files",
]

DEMO_SPEC: Final = "demo"
_DEFAULT_CAMERA: Final = CameraOptions()
VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"}
    | {".ts", ".webm", ".wmv"}
)
_BETWEEN_FILES: Final = "\n"
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def classify_spec(spec: str) -> SourceKind:
    """What sort of source a user means; opens nothing and never fails.

    `demo`; a number is a camera's index; an address with a scheme is a stream; what exists is a folder, a picture or a
    video; what looks like a path is one, though it may not exist; anything else is a camera's name.

    Args:
        spec: as the user wrote it.
    """
    spec = _trimmed(spec)
    files = split_files(spec)
    if files:
        return classify_files(files)
    if spec.casefold() == DEMO_SPEC:
        return "demo"
    if not spec or (spec.isascii() and spec.isdecimal()):
        return "camera"
    return "stream" if is_address(spec) else _classify_path(spec)


def is_address(spec: str) -> bool:
    """Whether a text is meant as the address of a stream; looks at the text alone."""
    spec = spec.strip()
    address = _ADDRESS.match(spec)
    if address:
        return address[1].lower() != "file"
    # With one slash too few, which must not be taken for a path: paths are shown, passwords are not.
    return _scheme(spec) in STREAM_SCHEMES and spec.partition(":")[2].startswith("/")


def source_path(spec: str) -> Path | None:
    """The file or folder that a user means, there or not; None where it is something else, or several files."""
    spec = _trimmed(spec)
    if split_files(spec):
        return None
    return _to_path(spec) if classify_spec(spec) in {"file", "folder", "image"} else None


def join_files(paths: Sequence[Path]) -> str:
    """What names several files as one source, in this order: pictures as a folder has them, else a playlist."""
    return _BETWEEN_FILES.join(str(path.absolute()) for path in paths)


def split_files(spec: str) -> tuple[Path, ...]:
    """The files that `join_files` joined; empty where a text names one source."""
    paths = tuple(map(Path, spec.split(_BETWEEN_FILES)))
    return paths if len(paths) > 1 and all(path.is_absolute() for path in paths) else ()


def classify_files(paths: Sequence[Path]) -> SourceKind:
    """What sort of source several files are: as a folder, where their names say that all of them are pictures."""
    return "folder" if all(path.suffix.lower() in PICTURE_SUFFIXES for path in paths) else "file"


def redact_source(spec: str) -> str:
    """What a user gave, for people to see: an address without its password."""
    spec = _trimmed(spec)
    return redact_url(spec) if classify_spec(spec) == "stream" else spec


def open_source(
    spec: str,
    *,
    camera: CameraOptions = _DEFAULT_CAMERA,
    cancel: threading.Event | None = None,
    threads: int = 0,
    hardware: bool = False,
) -> Source:
    """Open the source that a text names.

    Args:
        spec: a camera's index or name, a video or picture file, a folder of pictures, an address, `demo`, or what
            `join_files` made of several files.
        camera: the format requested of a camera.
        cancel: when set, by another thread, opening a camera or stream is given up.
        threads: that decode a video file; 0 for as many as FFmpeg likes.
        hardware: let a device decode a video file, if one can; see `VideoFileSource`.

    Raises:
        SourceError: it cannot be opened; the message is one sentence for the user.
    """
    spec = _trimmed(spec)
    if not spec:
        raise SourceError(
            "Cannot open a source: none was given. Give a camera's index or name, a file, an address, or `demo`."
        )
    files, kind = split_files(spec), classify_spec(spec)
    if files and kind == "folder":
        return FolderSource(files[0].parent, spec=spec, files=files)
    if files:
        return PlaylistSource(files, lambda path: open_source(str(path), threads=threads, hardware=hardware), spec=spec)
    if kind == "demo":
        return DemoSource()
    if kind == "camera":
        return open_camera(spec, camera, cancel=cancel)
    if kind == "stream":
        return _open_address(spec, cancel)
    path = _to_path(spec)
    _require_path(path)
    if kind == "folder":
        return FolderSource(path, spec=spec)
    if kind == "image":
        return _open_picture(path, spec)
    return _open_file(path, spec, threads, hardware=hardware)


def _open_picture(path: Path, spec: str) -> Source:
    animation = open_animation(path)
    return ImageSource(path, spec=spec) if animation is None else AnimationSource(animation, path, spec=spec)


def _open_file(path: Path, spec: str, threads: int, *, hardware: bool) -> Source:
    try:
        film = VideoFileSource(path, spec=spec, threads=threads, hardware=hardware)
    except SourceError:
        # There are pictures that FFmpeg does not read.
        with suppress(SourceError):
            return _open_picture(path, spec)
        raise
    if film.info.frame_count != 1:
        return film
    # FFmpeg takes a picture whose suffix says nothing for a film of one frame, and a tile of it for the whole.
    try:
        picture = _open_picture(path, spec)
    except HeicError:
        film.close()
        raise
    except SourceError:
        return film
    film.close()
    return picture


def _open_address(spec: str, cancel: threading.Event | None) -> Source:
    scheme = _scheme(spec)
    if scheme not in STREAM_SCHEMES:
        raise SourceError(
            "Cannot open this address: {scheme}:// is not supported. Use http, https or rtsp.", scheme=scheme
        )
    if "://" not in spec:
        raise SourceError(
            "Cannot open this address: it lacks a slash. Write it as {scheme}://host/path.", scheme=scheme
        )
    try:
        host = urlsplit(spec).hostname
    except ValueError:
        host = None
    if not host:
        raise SourceError(
            "Cannot open “{address}”: it names no computer. Write it as {scheme}://host/path.",
            address=redact_url(spec),
            scheme=scheme,
        )
    # Only here: what speaks HTTP takes a tenth of the start of a program that opens a file.
    from desktop_app.sources.network.streams import open_stream

    return open_stream(spec, cancel=cancel)


def _scheme(spec: str) -> str:
    return spec.partition(":")[0].lower()


def _trimmed(spec: str) -> str:
    """The text without blanks around it, unless there is a file of just that name."""
    bare = spec.strip()
    return spec if bare and bare != spec and _mode(_to_path(spec)) is not None else bare


def _classify_path(spec: str) -> SourceKind:
    path = _to_path(spec)
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        return "folder"
    if (mode is not None and stat.S_ISCHR(mode)) or spec.startswith("/dev/video"):
        return "camera"
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    looks_like_path = suffix in VIDEO_SUFFIXES or "/" in spec or "\\" in spec or spec.startswith("~")
    return "file" if mode is not None or looks_like_path else "camera"


def _to_path(spec: str) -> Path:
    """The path; desktops pass dropped files as file:// addresses."""
    if spec.lower().startswith("file://"):
        from urllib.request import url2pathname

        try:
            return Path(url2pathname(urlsplit(spec).path))
        except ValueError:
            return Path(spec)
    try:
        return Path(spec).expanduser()
    except (RuntimeError, ValueError):
        # No such user, or no name that a user can have.
        return Path(spec)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _require_path(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except ValueError:
        raise SourceError(
            "Cannot open “{path}”: it is no valid path on this system. Check its spelling.", path=repr(str(path))[1:-1]
        ) from None
    except PermissionError:
        raise SourceError(
            "Cannot open “{path}”: this user may not read it. Check its permissions.", path=path
        ) from None
    except OSError:
        raise SourceError(
            "Cannot open “{path}”: there is no such file or folder. Check its spelling.", path=path
        ) from None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        # Opening one waits for a writer, and it cannot be read twice.
        raise SourceError(
            "Cannot open “{path}”: it is a pipe, not a file. Save what comes from it in a file first.", path=path
        )
