"""Which files an archive has: paths, folders, patterns and lists become files with their size and time."""

from __future__ import annotations

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from desktop_app.engine.archive.remote import WILD, is_remote, list_remote, look_at_remote
from desktop_app.errors import CommandError, reason_of
from desktop_app.output.atomic_files import explain
from desktop_app.sources.opening import IMAGE_SUFFIXES, VIDEO_SUFFIXES, classify_spec, redact_source, source_path

LIST_MARK: Final = "@"
_SUFFIXES: Final = IMAGE_SUFFIXES | VIDEO_SUFFIXES


class ArchiveError(CommandError):
    """An archive cannot be annotated."""


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A file of an archive.

    Attributes:
        path: absolute, or an address that fsspec reads.
        name: relative to what the user gave; no two sources of an archive have the same.
        size: in bytes; -1 where the file is not there.
        modified_ns: when it was last written, in nanoseconds.
    """

    path: str
    name: str
    size: int
    modified_ns: int

    @property
    def is_picture(self) -> bool:
        """Whether its name is that of a picture."""
        return Path(self.path).suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class FoundSources:
    """The files of an archive.

    Attributes:
        sources: each once, by path.
        problems: a sentence for each folder within a folder that cannot be read.
    """

    sources: tuple[ArchiveSource, ...]
    problems: tuple[str, ...]


def is_many(specs: Sequence[str]) -> bool:
    """Whether a command line names more than one source: several, a list, or a pattern."""
    return len(specs) != 1 or _is_list(specs[0]) or _is_pattern(specs[0])


def find_sources(specs: Sequence[str], *, recursive: bool = False, without: Path | None = None) -> FoundSources:
    """Find the files that a command line names.

    Args:
        specs: files, folders of pictures and films, patterns (`*.jpg`, `**/*.mp4`), the same elsewhere by an address
            that fsspec reads (`s3://bucket/films/`), and lists (`@files.txt`, a line each; blank lines and those that
            begin with `#` say nothing).
        recursive: also look into the folders within folders. Names that begin with a dot are left out.
        without: a folder whose files are none of the archive, because the run itself writes them.

    Raises:
        ArchiveError: there is none, a list or folder cannot be read, or a camera or stream is among them.
    """
    problems: list[str] = []
    found: dict[str, ArchiveSource] = {}
    # With a separator at its end.
    barred = os.path.join(without.absolute(), "") if without is not None else "\0"  # noqa: PTH118
    for spec in _with_lists(specs):
        if is_remote(spec):
            for source in _remote(spec, recursive=recursive):
                found.setdefault(source.path, source)
            continue
        for path, name in _paths(spec, problems, recursive=recursive):
            absolute = os.path.abspath(path)  # noqa: PTH100 - without links resolved, unlike Path.resolve
            if not absolute.startswith(barred) and absolute not in found:
                found[absolute] = look_at(absolute, name)
    if not found:
        raise ArchiveError(
            "Cannot annotate: {names} contains no picture or film. Name files, or folders that contain some"
            " (--recursive also looks into the folders within them).",
            names=", ".join(f"“{redact_source(spec)}”" for spec in specs[:3]),
        )
    return FoundSources(_distinct([source for _, source in sorted(found.items())]), tuple(problems))


def look_at(path: str, name: str) -> ArchiveSource:
    """A file with its size and time as they are now."""
    if is_remote(path):
        return ArchiveSource(path, name, *look_at_remote(path))
    try:
        state = os.stat(path)  # noqa: PTH116 - a hundred thousand of them
    except (OSError, ValueError):
        return ArchiveSource(path, name, -1, 0)
    return ArchiveSource(path, name, state.st_size, state.st_mtime_ns)


def short_hash(text: str) -> str:
    """64 bits of a checksum, as 16 letters."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _is_list(spec: str) -> bool:
    return spec.startswith(LIST_MARK) and len(spec) > 1 and not Path(spec).exists()


def _is_pattern(spec: str) -> bool:
    return bool(WILD & set(spec)) and classify_spec(spec) in {"file", "image", "camera"} and not _exists(spec)


def _exists(spec: str) -> bool:
    path = source_path(spec)
    try:
        return path is not None and path.exists()
    except (OSError, ValueError):
        return False


def _with_lists(specs: Iterable[str]) -> Iterator[str]:
    """The words of a command line, with the lines of lists in their place."""
    for spec in specs:
        if not _is_list(spec):
            yield spec
            continue
        for line in _lines(Path(spec[len(LIST_MARK) :])):
            # A line of a list is never a camera, nor the demo.
            yield line if classify_spec(line) not in {"camera", "demo"} or _is_pattern(line) else f"./{line}"


def _remote(spec: str, *, recursive: bool) -> Iterator[ArchiveSource]:
    alone = not (WILD & set(spec))
    for address, name, size, modified_ns in list_remote(spec, recursive=recursive):
        if Path(name).suffix.lower() in _SUFFIXES or (alone and address.endswith(spec)):
            yield ArchiveSource(address, name, size, modified_ns)


def _lines(path: Path) -> Iterator[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArchiveError("Cannot read the list “{path}”: {reason}.", path=path, reason=explain(error)) from error
    for line in os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def _paths(spec: str, problems: list[str], *, recursive: bool) -> Iterator[tuple[Path, str]]:
    if _is_pattern(spec):
        matches = sorted(glob.glob(os.path.expanduser(spec), recursive=True))  # noqa: PTH111, PTH207 - any path
        if not matches:
            raise ArchiveError(
                "Cannot annotate “{pattern}”: no file has such a name. Check its spelling.", pattern=spec
            )
        for match in matches:
            yield from _below(Path(match), problems, recursive=recursive)
        return
    path = source_path(spec)
    if path is None:
        raise ArchiveError(
            "Cannot annotate “{name}” with others or into a dataset: only files and folders have an end. Annotate it "
            "alone.",
            name=redact_source(spec),
        )
    yield from _below(path, problems, recursive=recursive)


def _below(path: Path, problems: list[str], *, recursive: bool) -> Iterator[tuple[Path, str]]:
    """A file itself, or the pictures and films of a folder."""
    if not path.is_dir():
        yield path, path.name
        return

    def note(error: OSError) -> None:
        if error.filename == str(path):
            raise ArchiveError(
                "Cannot read the folder “{folder}”: {reason}. Check its permissions and its disk.",
                folder=path,
                reason=reason_of(error),
            ) from error
        problems.append(f"Cannot read the folder “{error.filename}”: {reason_of(error)}. Check its permissions.")

    for folder, inner, names in os.walk(path, onerror=note):
        inner[:] = [name for name in inner if not name.startswith(".")] if recursive else []
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES:
                file = Path(folder, name)
                yield file, file.relative_to(path).as_posix()


def _distinct(sources: Sequence[ArchiveSource]) -> tuple[ArchiveSource, ...]:
    """The sources, with a checksum of the path in those names that several have."""
    counts = Counter(source.name for source in sources)
    return tuple(
        replace(source, name=f"{short_hash(source.path)}/{source.name}") if counts[source.name] > 1 else source
        for source in sources
    )


def total_size(sources: Iterable[ArchiveSource]) -> int:
    """Bytes of some files, as far as they are there."""
    return sum(max(source.size, 0) for source in sources)
