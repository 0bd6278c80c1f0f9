"""`annotate` with many sources: plans, hands out, notes what is done, and goes on where an earlier run was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from desktop_app.analytics.crossings import check_count
from desktop_app.catalogue.catalogue import Catalogue, ModelPackage
from desktop_app.engine.archive.cluster import ClusterWorkers
from desktop_app.engine.archive.done_list import MANIFEST_NAME, DoneList
from desktop_app.engine.archive.part import TableFormat, sweep
from desktop_app.engine.archive.plan import Task, plan_missing
from desktop_app.engine.archive.sources import ArchiveError, FoundSources, find_sources
from desktop_app.engine.archive.task import ArchiveSettings, TaskResult
from desktop_app.engine.archive.workers import LocalWorkers, TaskProgress, Workers
from desktop_app.engine.audience_files import report_bytes
from desktop_app.engine.types import AnalysisSettings
from desktop_app.messages import ENGLISH, Language, Message
from desktop_app.output.atomic_files import explain
from desktop_app.output.late_file import LateFile
from desktop_app.output.table_text import json_document
from desktop_app.output.tables import has_parquet
from desktop_app.stopping import StopRequest
from desktop_app.version import program_version

REPORT_NAMES: Final = ("report.html", "report.json")
FACTS_NAME: Final = "dataset.json"
_STATE_FOLDER: Final = ".agelens"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest(AnalysisSettings):
    """What to annotate and where to write it.

    Attributes:
        specs: what `find_sources` takes; `source` is not used.
        recursive: also look into the folders within folders.
        dataset: folder of the dataset; None for none.
        output: folder of annotated films and pictures; None for none.
        table_format: of the dataset's tables.
        jobs: processes; 0 for one a core.
        cluster: address of a Dask scheduler whose processes work in place of this machine's; empty for none.
        overwrite: make everything anew.
        retry_failed: read again what could not be read.
        audio: copy the sound of films, never where something is hidden.
        language: of the report's page.
    """

    specs: Sequence[str]
    recursive: bool = False
    dataset: Path | None = None
    output: Path | None = None
    table_format: TableFormat = "parquet"
    jobs: int = 0
    cluster: str = ""
    overwrite: bool = False
    retry_failed: bool = False
    audio: bool = True
    language: Language = ENGLISH


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveProgress:
    """How far it is.

    Attributes:
        files: done or failed so far, without those of earlier runs.
        total: files that are to be done in this run.
        earlier: files that an earlier run has done.
        failed: files that cannot be read, those of earlier runs included.
        frames: read so far.
        faces: found so far in the parts that are whole, a face in each frame.
        visits: faces, each once for the time that it was followed, in the parts that are whole.
        film_s: seconds of film in the parts that are whole.
        seconds: since the first process was started.
        lines: what to say now, a sentence each.
    """

    files: int = 0
    total: int = 0
    earlier: int = 0
    failed: int = 0
    frames: int = 0
    faces: int = 0
    visits: int = 0
    film_s: float = 0.0
    seconds: float = 0.0
    lines: tuple[str, ...] = ()


def annotate_archive(
    request: ArchiveRequest, stop: StopRequest | None = None
) -> Generator[ArchiveProgress, None, None]:
    """Annotate many sources into a dataset, into media, or both.

    What is whole is noted, so that the same request again does only what is missing or changed. Whenever the iteration
    is left, the dataset holds whole parts only.

    Args:
        request: what to annotate.
        stop: ends the run at once; safe at any moment.

    Yields:
        The progress, now and then; the last one is that of the end.

    Raises:
        AgelensError: there is nothing to annotate, or model, provider or folder cannot be used.
    """
    stop = stop or StopRequest()
    settings = _settings(request)
    package = Catalogue().find(request.choice.model)
    found = find_sources(
        request.specs,
        recursive=request.recursive,
        without=request.output,
    )
    _make_folders(settings, overwrite=request.overwrite)
    with ExitStack() as stack:
        manifest = stack.enter_context(DoneList(settings.folder))
        sweep(settings.folder, manifest.task_names())
        tasks = plan_missing(
            found.sources,
            manifest.records(),
            settings.key(package),
            retry_failed=request.retry_failed,
            overwrite=request.overwrite,
        )
        run = _Run(manifest, settings.key(package), found, tasks)
        yield from run.all(lambda: stack.enter_context(_workers(request, settings)), stop)
        sweep(settings.folder, manifest.task_names())
        if settings.tables and not stop.is_set():
            _write_reports(settings, manifest, package, request.language)


def _write_reports(settings: ArchiveSettings, done: DoneList, package: ModelPackage, language: Language) -> None:
    """Write the counts of the whole dataset and how it was made, in place of what an earlier run wrote."""
    model = package.manifest
    facts = {"version": program_version(), "model": package.name, **settings.values(package)}
    _replace(settings.folder / FACTS_NAME, json_document(facts, default=str))
    tally, failed = done.tally(), done.failed_count()
    if tally is None:
        return
    notices = [Message("%n file(s) could not be read.", None, failed)] if failed else []
    for name in REPORT_NAMES:
        path = settings.folder / name
        content = report_bytes(
            tally.audience(model, lines=settings.lines),
            model,
            source=settings.folder.name,
            suffix=path.suffix,
            notices=notices,
            language=language,
        )
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    LateFile(path, lambda: content, overwrite=True).close()


def _workers(request: ArchiveRequest, settings: ArchiveSettings) -> Workers:
    if request.cluster:
        return ClusterWorkers(settings, request.cluster)
    return LocalWorkers(settings, request.jobs or cores())


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Run:
    """Counts what is done."""

    def __init__(self, manifest: DoneList, options: str, found: FoundSources, tasks: Sequence[Task]) -> None:
        self._manifest, self._options, self._found, self._tasks = manifest, options, found, tasks
        self._records = manifest.records()
        self._frames_whole = 0
        self._said: set[str] = set()
        self.progress = self._beginning()

    def all(self, start: Callable[[], Workers], stop: StopRequest) -> Generator[ArchiveProgress, None, None]:
        """Make all that is missing."""
        yield self.progress
        self.progress = replace(self.progress, lines=())
        if not self._tasks:
            return
        began_at = time.monotonic()
        for event in start().run(self._tasks, stop):
            if isinstance(event, TaskProgress):
                self.progress = replace(self.progress, frames=self._frames_whole + event.frames, lines=())
            else:
                self._take(event)
            self.progress = replace(self.progress, seconds=time.monotonic() - began_at)
            yield self.progress

    def _beginning(self) -> ArchiveProgress:
        due = {one.path for task in self._tasks for one in task.sources}
        asked = {one.path: one for one in self._found.sources}
        earlier = [self._records[path] for path in asked.keys() - due]
        failed = [(path, self._records[path]) for path in asked if path not in due and self._records[path].error]
        others = sum(record.options != self._options for record in self._records.values())
        lines = [*self._found.problems, *(f"{path}: {record.error}" for path, record in failed)]
        if others:
            lines.append(f"Files that are done again, because they were done with other options: {others}")
        return ArchiveProgress(
            total=len(due),
            earlier=len(earlier),
            failed=len(failed) + len(self._found.problems),
            lines=tuple(lines),
        )

    def _new_notices(self, result: TaskResult) -> list[str]:
        """Each sentence once: what is said of damage names its file, and what is true of all films needs no more."""
        said = dict.fromkeys(line for one in result.sources for line in one.notice.splitlines() if line)
        new = [line for line in said if line not in self._said]
        self._said.update(new)
        return new

    def _take(self, result: TaskResult) -> None:
        if result.name:
            self._manifest.add(result, self._options)
        self._frames_whole += result.frames
        now = self.progress
        errors = [one for one in result.sources if one.error]
        self.progress = replace(
            now,
            files=now.files + len(result.sources),
            failed=now.failed + len(errors),
            frames=max(now.frames, self._frames_whole),
            faces=now.faces + result.faces,
            visits=now.visits + result.visits,
            film_s=now.film_s + result.seconds,
            lines=(*(f"{one.path}: {one.error}" for one in errors), *self._new_notices(result)),
        )


def _settings(request: ArchiveRequest) -> ArchiveSettings:
    folder = request.dataset or (request.output / _STATE_FOLDER if request.output is not None else None)
    if folder is None:
        raise ArchiveError(
            "Cannot annotate several sources: there is no place for the results. Name a folder with --dataset for the "
            "tables, with --output for annotated films and pictures, or both."
        )
    check_count(request.lines)
    if request.dataset is not None:
        _check_format(request.table_format)
    return ArchiveSettings(
        folder=folder.absolute(),
        tables=request.dataset is not None,
        table_format=request.table_format,
        media=request.output.absolute() if request.output is not None else None,
        audio=request.audio,
        choice=request.choice,
        mirror=request.mirror,
        detector=request.detector,
        min_score=request.min_score,
        style=request.style,
        lines=request.lines,
        excerpt=request.excerpt,
        hardware_decoding=request.hardware_decoding,
    )


def _check_format(table_format: TableFormat) -> None:
    if table_format == "parquet" and not has_parquet():
        raise ArchiveError(
            "Cannot write a dataset as Parquet: that needs the package pyarrow. Install it with `pip install "
            "'agelens[parquet]'`, or choose --format csv or jsonl."
        )


def _make_folders(settings: ArchiveSettings, *, overwrite: bool) -> None:
    """Make the folders, and refuse those that hold what is not ours: it would be taken for ours, and replaced."""
    if settings.tables and _is_taken(settings.folder, MANIFEST_NAME):
        raise ArchiveError(
            "Cannot write a dataset into “{folder}”: it holds other files. Name a new or an empty folder.",
            folder=settings.folder,
        )
    if settings.media is not None and not overwrite and _is_taken(settings.media, _STATE_FOLDER):
        raise ArchiveError(
            "Cannot write into “{folder}”: it holds other files. Name a new or an empty folder, or add --overwrite.",
            folder=settings.media,
        )
    marked = settings.media / _STATE_FOLDER if settings.media is not None else None
    for folder in filter(None, (settings.folder, marked)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveError(
                "Cannot make the folder “{folder}”: {reason}.", folder=folder, reason=explain(error)
            ) from error


def _is_taken(folder: Path, mark: str) -> bool:
    """Whether a folder holds something, but not what marks it as ours."""
    return folder.is_dir() and not (folder / mark).exists() and any(folder.iterdir())
