"""Names of sources before they are opened, without touching disk or network."""

from __future__ import annotations

from pathlib import PurePath

from desktop_app.sources.network.addresses import redact_url
from desktop_app.sources.opening import SourceKind, are_pictures, is_address, split_files
from desktop_app.sources.pictures.stills import IMAGE_SUFFIXES
from desktop_app.window.style.translation import tr


def guess_kind(spec: str) -> SourceKind:
    """What sort of source a text most likely names."""
    if spec == "demo":
        return "demo"
    files = split_files(spec)
    if files:
        return "folder" if are_pictures(files) else "file"
    if is_address(spec):
        return "stream"
    path = PurePath(spec)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return "image"
    if len(path.parts) > 1 or path.suffix:
        return "file" if path.suffix else "folder"
    return "camera"


def display_name(spec: str) -> str:
    """A short name for people; a password in an address is not part of it."""
    files = split_files(spec)
    if files and are_pictures(files):
        return tr("%n picture(s)", None, len(files))
    if files:
        return tr("%n file(s)", None, len(files))
    kind = guess_kind(spec)
    if kind == "demo":
        return tr("Demo")
    if kind == "stream":
        return redact_url(spec).partition("://")[2]
    if kind == "camera":
        return tr("Camera {number}", number=spec) if spec.isdigit() else spec
    return PurePath(spec).name or spec
