"""Which parts an archive's dataset has, and which of them are to be made."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from desktop_app.engine.archive.sources import ArchiveSource, look_at, short_hash, total_size

CHUNK: Final = 64
"""Pictures of a folder in a part, on average: far fewer parts than pictures, and little to do anew for one of them."""
LARGEST_CHUNK: Final = 2 * CHUNK
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Task:
    """A part of the dataset: a film, or some pictures of a folder.

    Attributes:
        name: of the part, unique in the dataset, safe as a part of a path.
        sources: what it is made of, in the order of its rows.
        skipped: sources that are not to be read any more, by their place, and why.
    """

    name: str
    sources: tuple[ArchiveSource, ...]
    skipped: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What the dataset knows of a source.

    Attributes:
        task: name of the part that holds it.
        size: of the file that was read.
        modified_ns: time of the file that was read.
        options: see `ArchiveSettings.key`.
        error: why it could not be read; empty where it could.
    """

    task: str
    size: int
    modified_ns: int
    options: str
    error: str = ""


def plan(sources: Iterable[ArchiveSource]) -> list[Task]:
    """Divide an archive into parts.

    A film is a part of its own. The pictures of a folder are cut where the checksum of a name says so, so that a
    picture that comes or goes changes one part and not all that follow.
    """
    folders: dict[Path, list[ArchiveSource]] = defaultdict(list)
    tasks = []
    for source in sources:
        if source.is_picture:
            folders[Path(source.path).parent].append(source)
        else:
            tasks.append(_task(Path(source.path).name, [source]))
    for folder, pictures in folders.items():
        tasks += [_task(folder.name, chunk) for chunk in _chunks(sorted(pictures, key=lambda one: one.path))]
    # What takes longest first, so that no process works alone in the end.
    return sorted(tasks, key=lambda task: (-total_size(task.sources), task.name))


def plan_missing(
    sources: Sequence[ArchiveSource],
    records: Mapping[str, Record],
    options: str,
    *,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> list[Task]:
    """The parts that are to be made, because they are missing or something in them changed.

    A part is made as a whole. Where one takes the place of another, the other's sources are made, too, those
    included that were not asked for this time; one that is not there any more leaves the dataset with it.

    Args:
        sources: what is asked for.
        records: what the dataset holds, by path.
        options: what it is to be made with.
        retry_failed: also read again what could not be read.
        overwrite: read everything again that is asked for.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for path, record in records.items():
        members[record.task].append(path)
    known = {source.path: source for source in sources}
    missing = {
        path
        for path, one in known.items()
        if overwrite or not _is_done(one, records.get(path), options, retry_failed=retry_failed)
    }

    def there_of(paths: Iterable[str]) -> list[ArchiveSource]:
        looked_at = (known.get(path) or look_at(path, Path(path).name) for path in paths)
        return [one for one in looked_at if one.size >= 0]

    # A dataset is made with one set of options.
    there = there_of(path for path, record in records.items() if record.options != options)
    while True:
        known.update({one.path: one for one in there})
        missing.update(one.path for one in there)
        due = [task for task in plan(known.values()) if any(one.path in missing for one in task.sources)]
        replaced = {records[one.path].task for task in due for one in task.sources if one.path in records}
        replaced.update(task.name for task in due)
        there = there_of(path for name in replaced for path in members[name] if path not in missing)
        if not there:
            return due


def _is_done(source: ArchiveSource, record: Record | None, options: str, *, retry_failed: bool) -> bool:
    if record is None or (record.error and retry_failed):
        return False
    return (record.size, record.modified_ns, record.options) == (source.size, source.modified_ns, options)


def _task(name: str, sources: Sequence[ArchiveSource]) -> Task:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_LONGEST_NAME]
    return Task(f"{readable}-{short_hash(sources[0].path)}", tuple(sources))


def _chunks(pictures: Sequence[ArchiveSource]) -> Iterator[list[ArchiveSource]]:
    chunk: list[ArchiveSource] = []
    for picture in pictures:
        name = Path(picture.path).name.encode("utf-8", "surrogateescape")
        if chunk and (zlib.crc32(name) % CHUNK == 0 or len(chunk) == LARGEST_CHUNK):
            yield chunk
            chunk = []
        chunk.append(picture)
    if chunk:
        yield chunk
