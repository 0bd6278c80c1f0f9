"""Files elsewhere, by addresses as `s3://bucket/film.mp4`: whatever fsspec, with the packages beside it, reads."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from desktop_app.errors import AgelensError, CommandError, reason_of
from desktop_app.sources.network.addresses import STREAM_SCHEMES, redact_url

_NANOSECONDS: Final = 1_000_000_000
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "created")
_MARKS: Final = ("ETag", "etag", "md5Hash", "checksum")
WILD: Final = frozenset("*?[")
"""Letters that make a pattern of a path."""


class RemoteError(CommandError):
    """A file elsewhere cannot be listed or fetched."""


def is_remote(spec: str) -> bool:
    """Whether a text is the address of files elsewhere, and not of a stream or of this machine; looks at it alone."""
    scheme, mark, _ = spec.partition("://")
    return bool(mark) and scheme.isascii() and scheme.isalnum() and scheme.lower() not in {*STREAM_SCHEMES, "file"}


def list_remote(spec: str, *, recursive: bool) -> Iterator[tuple[str, str, int, int]]:
    """The files that an address names: one, those of a folder, or those that fit a pattern.

    Yields:
        Address, name within the folder, size in bytes (-1 where there is no such file), and time in nanoseconds.

    Raises:
        RemoteError: they cannot be listed.
    """
    system, path = _system(spec)
    try:
        if wild := WILD & set(path):
            found = system.glob(path, detail=True)
            base = str(PurePosixPath(path.partition(min(wild, key=path.index))[0] + "x").parent)
        elif system.isdir(path):
            found, base = system.find(path, maxdepth=None if recursive else 1, detail=True), path
        else:
            found, base = {path: system.info(path)}, str(PurePosixPath(path).parent)
    except FileNotFoundError:
        yield spec, PurePosixPath(path).name, -1, 0
        return
    except Exception as error:
        raise _refused("list", spec, error) from error
    for name, info in found.items():
        if info.get("type") != "directory":
            inner = name.removeprefix(base).lstrip("/") or PurePosixPath(name).name
            yield system.unstrip_protocol(name), inner, int(info.get("size") or 0), _time_of(info)


def look_at_remote(address: str) -> tuple[int, int]:
    """Size and time of a file; -1 where there is none."""
    try:
        ((_, _, size, modified_ns),) = list_remote(address, recursive=False)
    except (RemoteError, ValueError):
        return -1, 0
    return size, modified_ns


def fetch(address: str, folder: Path) -> Path:
    """Copy a file into a folder, under its own name.

    Raises:
        RemoteError: that cannot be done.
    """
    system, path = _system(address)
    target = folder / PurePosixPath(path).name
    try:
        system.get_file(path, str(target))
    except Exception as error:
        raise _refused("fetch", address, error) from error
    return target


def _system(spec: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise RemoteError(
            "Cannot open “{address}”: that needs the package fsspec. Install it with `pip install 'agelens[cluster]'`.",
            address=redact_url(spec),
        ) from None
    try:
        system, path = url_to_fs(spec)
    except Exception as error:
        raise _refused("open", spec, error) from error
    return system, str(path)


def _time_of(info: Mapping[str, Any]) -> int:
    """When a file was last written; of storage that does not say, a number that changes with the content."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            return int(value.timestamp() * _NANOSECONDS)
        if isinstance(value, int | float):
            return int(value * _NANOSECONDS)
        if value:
            return _number(str(value))
    return next((_number(str(info[name])) for name in _MARKS if info.get(name)), 0)


def _number(text: str) -> int:
    return zlib.crc32(text.encode())


def _refused(what: str, address: str, error: Exception) -> AgelensError:
    return RemoteError(
        "Cannot {what} “{address}”: {reason}. Check the address, and that this machine may read it.",
        what=what,
        address=redact_url(address),
        reason=reason_of(error),
    )
