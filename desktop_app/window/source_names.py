"""What to call a source before it is opened, without touching the disk or the network."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from desktop_app.media.sources import SourceKind
from desktop_app.window.translation import tr

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES: Final = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


def guess_kind(spec: str) -> SourceKind:
    """What sort of source a text most likely names."""
    if spec == "demo":
        return "demo"
    if "://" in spec:
        return "stream"
    path = PurePath(spec)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return "image"
    if len(path.parts) > 1 or path.suffix:
        return "file" if path.suffix else "folder"
    return "camera"


def display_name(spec: str) -> str:
    """A short name for people; a password in an address is not part of it."""
    kind = guess_kind(spec)
    if kind == "demo":
        return tr("Demo")
    if kind == "stream":
        parts = urlsplit(spec)
        return f"{parts.hostname or ''}{parts.path}" or spec
    if kind == "camera":
        return tr("Camera {number}").format(number=spec) if spec.isdigit() else spec
    return PurePath(spec).name or spec
