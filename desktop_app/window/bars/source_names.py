"""Names of sources before they are opened, without touching disk or network."""

from __future__ import annotations

from pathlib import PurePath

from desktop_app.sources.network.addresses import redact_url
from desktop_app.sources.opening import SourceKind, classify_files, is_address, split_files
from desktop_app.sources.pictures.stills import IMAGE_SUFFIXES
from desktop_app.window.style.translation import tr


def guess_kind(spec: str) -> SourceKind:
    """What sort of source a text most likely names."""
    if spec == "demo":
        return "demo"
    files = split_files(spec)
    if files:
        return classify_files(files)
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
    files, kind = split_files(spec), guess_kind(spec)
    if files:
        return tr("%n picture(s)", None, len(files)) if kind == "folder" else tr("%n file(s)", None, len(files))
    if kind == "demo":
        return tr("Demo")
    if kind == "stream":
        return redact_url(spec).partition("://")[2]
    if kind == "camera":
        return tr("Camera {number}", number=spec) if spec.isdigit() else spec
    return PurePath(spec).name or spec
