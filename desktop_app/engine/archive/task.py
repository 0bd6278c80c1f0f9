"""Makes one part of a dataset: the same function for a process of this machine and for one of a cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from desktop_app.analytics.audience import Tally, count
from desktop_app.analytics.visits import VisitLog
from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.closeable import Closeable
from desktop_app.engine.annotate import AnnotationRequest, PictureSink, finish_all, open_sink
from desktop_app.engine.archive.part import PartWriter, TableFormat
from desktop_app.engine.archive.plan import Task
from desktop_app.engine.archive.remote import fetch, is_remote
from desktop_app.engine.archive.sources import ArchiveSource
from desktop_app.engine.audience_files import note_faces
from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.engine.types import AnalysisSettings, RenderedFrame
from desktop_app.errors import AgelensError, describe_error
from desktop_app.messages import Message
from desktop_app.output.predictions import PredictionFileError, face_rows
from desktop_app.sources.excerpt import ExcerptSource
from desktop_app.sources.opening import Source, SourceError, SourceInfo, open_source
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector

Tell = Callable[[int, int], None]
"""Takes the place of the source in its task and the number of frames done, now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings(AnalysisSettings):
    """How every part of a dataset is made; travels to the processes that make them.

    Attributes:
        folder: of the dataset, absolute.
        table_format: of its tables.
        media: folder for annotated films and pictures, absolute; None for none.
        audio: copy the sound of films.
        tables: whether the dataset has tables; without, `folder` holds only what is known of the media.
    """

    folder: Path
    tables: bool = True
    table_format: TableFormat = "parquet"
    media: Path | None = None
    audio: bool = True

    def key(self, package: ModelPackage) -> str:
        """A checksum of `values`: parts that have the same were made in the same way."""
        return hashlib.sha256(json.dumps(self.values(package), sort_keys=True, default=str).encode()).hexdigest()

    def values(self, package: ModelPackage) -> dict[str, Any]:
        """Everything that what is written depends on, besides the sources, as values for JSON.

        Args:
            package: the model.
        """
        media = {"folder": str(self.media), "style": asdict(self.style), "audio": self.audio} if self.media else None
        return {
            "networks": dict(package.manifest.files),
            "choice": asdict(self.choice) | {"model": ""},
            "detector": self.detector,
            "min_score": self.min_score,
            "mirror": self.mirror,
            "excerpt": asdict(self.excerpt),
            "hardware_decoding": self.hardware_decoding,
            "lines": [asdict(line) for line in self.lines],
            "format": self.table_format if self.tables else "",
            "media": media,
        }


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What became of a source.

    Attributes:
        path: of the file.
        name: for people.
        size: of the file as it was planned.
        modified_ns: its time as it was planned.
        frames: that were read.
        error: why it could not be read, or not to its end; empty where it could.
        remembered: reading it again would give the same.
        notice: what there is to say of it, as that it is damaged; empty for nothing.
    """

    path: str
    name: str
    size: int
    modified_ns: int
    frames: int
    error: str
    remembered: bool
    notice: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A part that was made.

    Attributes:
        name: of the part.
        sources: what became of each of its sources.
        frames: that were read.
        faces: that were found in them, a face in each frame.
        visits: faces, each once for the time that it was followed.
        seconds: length of the films.
        tally: of the audience; None where nothing could be done.
    """

    name: str
    sources: tuple[SourceResult, ...]
    frames: int
    faces: int
    visits: int
    seconds: float
    tally: Tally | None = None


@dataclass(slots=True)
class _Seen:
    """What was seen of a source so far."""

    log: VisitLog
    kind: str = ""
    faces: int = 0
    notice: str = ""
    error: str = ""
    remembered: bool = True


class TaskRunner(Closeable):
    """Makes parts, one after the other, with models that are loaded once.

    Everything runs on the thread that made it, so that as many processes as there are cores do not wait for each
    other. What is made of a source does not depend on what was made before.

    Raises:
        AgelensError: the model or the provider cannot be used.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._open = ExitStack()
        cv2.setNumThreads(1)
        self._classifier = Classifier.of(settings.choice, threads=1)
        self._detector = self._open.enter_context(
            FaceDetector(settings.detector, min_score=settings.min_score, threaded=False)
        )

    def run(self, task: Task, tell: Tell) -> TaskResult:
        """Make a part; a source that cannot be read is noted, and the others are read.

        Args:
            task: what to make.
            tell: how far it is, at least at the beginning of each source.

        Raises:
            OSError: the part cannot be written.
            AgelensError: the part cannot be written, or the network failed.
        """
        settings, manifest = self._settings, self._classifier.package.manifest
        labels = manifest.labels
        results: list[SourceResult] = []
        frames = faces = visits = 0
        seconds = 0.0
        tally = count((), manifest, frames=0, duration_s=0.0, lines=settings.lines)
        with PartWriter(settings.folder, task.name, settings.table_format if settings.tables else None, labels) as part:
            for index, source in enumerate(task.sources):
                tell(index, frames)
                seen = _Seen(VisitLog(settings.lines))
                if index in task.skipped:
                    seen.error, seen.remembered = task.skipped[index], False
                else:
                    self._annotate(source, part, seen, partial(_tell_more, tell, index, frames))
                frames, faces = frames + seen.log.frames, faces + seen.faces
                visits, seconds = visits + len(seen.log), seconds + seen.log.duration_s
                visited = seen.log.visits(labels)
                tally += count(
                    visited, manifest, frames=seen.log.frames, duration_s=seen.log.duration_s, lines=settings.lines
                )
                part.add_visits(visited)
                part.add_source(
                    {
                        "path": source.path,
                        "file": Path(source.path).name,
                        "kind": seen.kind,
                        "frames": seen.log.frames,
                        "faces": seen.faces,
                        "visits": len(seen.log),
                        "duration_s": seen.log.duration_s,
                        "error": seen.error,
                        "notice": seen.notice,
                    }
                )
                results.append(_result(source, seen))
            part.commit()
        return TaskResult(task.name, tuple(results), frames, faces, visits, seconds, tally)

    def close(self) -> None:
        """Free the models."""
        self._open.close()

    def _annotate(self, source: ArchiveSource, part: PartWriter, seen: _Seen, tell: Callable[[int], None]) -> None:
        try:
            hardware = self._settings.hardware_decoding
            with (
                _local(source.path, part.work) as path,
                open_source(path, threads=1, hardware=hardware) as opened,
            ):
                seen.kind = opened.info.kind
                self._read(ExcerptSource(opened, self._settings.excerpt), source, part, seen, tell)
                seen.notice = str(opened.notice or "")
        except SourceError as error:
            seen.error = str(error)
        except PredictionFileError:
            # No other part could be written, either.
            raise
        except AgelensError as error:
            seen.error, seen.remembered = str(error), False
        except Exception as error:
            # A defect that one file brings out must not cost the others.
            seen.error, seen.remembered = str(describe_error(error)), False
        else:
            if not seen.log.frames:
                seen.error = "Cannot read it: it contains no picture that can be read. Check the file."

    def _read(
        self, opened: Source, source: ArchiveSource, part: PartWriter, seen: _Seen, tell: Callable[[int], None]
    ) -> None:
        settings = self._settings
        self._detector.reset()
        analysis = OfflineAnalysis(
            self._classifier,
            self._detector,
            style=settings.style,
            mirror=settings.mirror,
            annotated=settings.media is not None,
            threaded=False,
        )
        with ExitStack() as media:
            sink: PictureSink | None = None
            for rendered in analysis.run(opened):
                if settings.media is not None:
                    if sink is None:
                        sink = self._open_sink(settings.media, source, part, opened.info, rendered)
                        media.callback(finish_all, [sink])
                    sink.write(rendered)
                frame, time_s = rendered.frame, rendered.frame.captured_at
                rows = face_rows(frame.index, time_s, frame.origin, rendered.tracks, rendered.labels)
                part.write(rows)
                note_faces(seen.log, rendered, time_s)
                seen.faces += len(rows)
                tell(seen.log.frames)

    def _open_sink(
        self, media: Path, source: ArchiveSource, part: PartWriter, info: SourceInfo, rendered: RenderedFrame
    ) -> PictureSink:
        suffix = ".png" if info.kind == "image" else ".mp4"
        target = part.media_path(media / f"{source.name}{suffix}")
        request = AnnotationRequest(
            source=source.path, output=target, style=self._settings.style, audio=self._settings.audio
        )
        return open_sink(request, target, info, rendered)


@contextmanager
def _local(path: str, folder: Path) -> Iterator[str]:
    """The file of a source on this machine, fetched if it is elsewhere and only as long as it is needed."""
    if not is_remote(path):
        yield path
        return
    fetched = fetch(path, folder)
    try:
        yield str(fetched)
    finally:
        fetched.unlink(missing_ok=True)


def _tell_more(tell: Tell, index: int, before: int, frames: int) -> None:
    tell(index, before + frames)


def failed_task(task: Task, reason: Message) -> TaskResult:
    """The result of a part that cannot be made, now; it is noted nowhere, so that the next run tries it again."""
    failed = [
        SourceResult(one.path, one.name, one.size, one.modified_ns, 0, str(reason), remembered=False)
        for one in task.sources
    ]
    return TaskResult("", tuple(failed), 0, 0, 0, 0.0)


def _result(source: ArchiveSource, seen: _Seen) -> SourceResult:
    return SourceResult(
        source.path,
        source.name,
        source.size,
        source.modified_ns,
        seen.log.frames,
        seen.error,
        seen.remembered,
        seen.notice,
    )
