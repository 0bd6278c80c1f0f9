"""Screenshots: PNG files that carry their predictions, and dated file names."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from desktop_app.errors import AgelensError
from desktop_app.json_text import parse_json
from desktop_app.messages import Message
from desktop_app.output.atomic_files import explain, numbered, write_whole
from desktop_app.output.predictions import FaceRow

KEYWORD: Final = "Agelens"
"""Name of the PNG text chunk (iTXt) that holds the predictions as JSON."""

_NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})


class SnapshotError(AgelensError):
    """A screenshot cannot be saved or read."""


class SnapshotTakenError(SnapshotError):
    """A screenshot cannot be saved because there is a file of that name."""


def save_snapshot(
    path: Path,
    image: NDArray[np.uint8],
    rows: Sequence[FaceRow],
    *,
    metadata: Mapping[str, str] = _NO_METADATA,
    json_beside: bool = False,
    overwrite: bool = False,
) -> Path:
    """Save a picture with what was found in it.

    The predictions are JSON, `{"metadata": {…}, "faces": [{…}, …]}`, in a text chunk of the PNG that most
    picture viewers can show. Each file appears whole or not at all.

    Args:
        path: the `.png` file.
        image: H×W×3 uint8, BGR.
        rows: the faces.
        metadata: more to keep with the picture, such as the model's name.
        json_beside: write the same JSON to a file of the same name with `.json`.
        overwrite: replace existing files.

    Returns:
        `path`.

    Raises:
        SnapshotTakenError: there is a file of that name, and `overwrite` is not set.
        SnapshotError: the suffix is another one, or a file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise SnapshotError(
            "Cannot save a screenshot as “{name}”: the name must end in .png. Choose another name.", name=path.name
        )
    beside = path.with_suffix(".json")
    if json_beside and not overwrite and os.path.lexists(beside):
        raise SnapshotTakenError(
            "Cannot save “{path}”: a file of that name exists already. Choose another name.", path=beside
        )
    content = {"metadata": dict(metadata), "faces": [row.values() for row in rows]}
    _save(path, _encode(image, _to_json(content)), overwrite=overwrite)
    if json_beside:
        _save(beside, _to_json(content, indent=2) + b"\n", overwrite=overwrite)
    return path


def read_snapshot_rows(path: Path) -> list[FaceRow]:
    """Read the predictions back from a screenshot.

    Raises:
        SnapshotError: the file cannot be read, or is no screenshot of Agelens.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            assert isinstance(image, PngImageFile)
            text = image.text.get(KEYWORD)
        if text is not None:
            return [FaceRow(**face) for face in parse_json(text)["faces"]]
    except Exception as error:
        # Not only OSError: Pillow raises whatever it runs into in a damaged file, which has no system's message.
        reason = getattr(error, "strerror", None) or Message("it is damaged or is not a PNG file")
        raise SnapshotError("Cannot read “{path}”: {reason}. Choose another file.", path=path, reason=reason) from error
    raise SnapshotError(
        "Cannot read “{path}”: it contains no predictions. Choose a screenshot made by Agelens.", path=path
    )


def dated_path(folder: Path, stem: str, suffix: str, *, at: datetime) -> Path:
    """A name by date, as `Agelens 2026-11-24 10.15.30.mp4`.

    Args:
        folder: where the file is to be; it need not exist.
        stem: how the name starts.
        suffix: with its dot.
        at: the moment in the name.
    """
    return folder / f"{stem} {at:%Y-%m-%d %H.%M.%S}{suffix}"


def free_path(folder: Path, stem: str, suffix: str, *, at: datetime, beside: Sequence[str] = ()) -> Path:
    """A name by date that is not taken, as `Agelens 2026-11-24 10.15.30.mp4`, then `… (2).mp4` and so on.

    Args:
        folder: as in `dated_path`, like `stem`, `suffix` and `at`.
        stem: see there.
        suffix: see there.
        at: see there.
        beside: further suffixes under which the name must be free, such as `.csv`.
    """
    return next(
        path
        for path in numbered(dated_path(folder, stem, suffix, at=at))
        if not any(os.path.lexists(path.with_suffix(other)) for other in (suffix, *beside))
    )


def burst_paths(
    folder: Path, stem: str, suffix: str, *, at: datetime, count: int, beside: Sequence[str] = ()
) -> list[Path]:
    """Names for a series of pictures, as `Agelens 2026-11-24 10.15.30 burst 01.png`, all of them free.

    Args:
        folder: as in `free_path`, like `stem`, `suffix`, `at` and `beside`.
        stem: see there.
        suffix: see there.
        at: see there; the same for the whole series.
        count: number of pictures.
        beside: see there.
    """
    digits = max(len(str(count)), 2)
    name = f"{stem} {at:%Y-%m-%d %H.%M.%S}"
    series = 1
    while True:
        label = f"burst {series}" if series > 1 else "burst"
        paths = [folder / f"{name} {label} {index:0{digits}}{suffix}" for index in range(1, count + 1)]
        taken = (os.path.lexists(path.with_suffix(other)) for path in paths for other in (suffix, *beside))
        if not any(taken):
            return paths
        series += 1


def _to_json(content: Mapping[str, object], *, indent: int | None = None) -> bytes:
    # Lone surrogates, from file names that are not valid text, become JSON's own escapes.
    return json.dumps(content, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def _encode(image: NDArray[np.uint8], text: bytes) -> bytes:
    """A picture (H×W×3 uint8, BGR) as a PNG file with this text under `KEYWORD`."""
    chunks, png = PngInfo(), io.BytesIO()
    chunks.add_itxt(KEYWORD, text)
    # As OpenCV packs: as small as Pillow's default for camera pictures, in a third of the time.
    rgb = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    rgb.save(png, "PNG", pnginfo=chunks, compress_level=1, compress_type=zlib.Z_RLE)
    return png.getvalue()


def _save(path: Path, data: bytes, *, overwrite: bool) -> None:
    try:
        write_whole(path, data, overwrite=overwrite)
    except OSError as error:
        kind = SnapshotTakenError if isinstance(error, FileExistsError) else SnapshotError
        message = Message("Cannot save “{path}”: {reason}.", path=path, reason=explain(error))
        raise kind.from_message(message) from error
