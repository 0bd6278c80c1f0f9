"""The files about an audience: a table of visits, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from desktop_app.analytics.audience import Audience, summarise
from desktop_app.analytics.visits import VisitLog
from desktop_app.catalogue.manifest import Manifest
from desktop_app.engine.types import RenderedFrame
from desktop_app.messages import ENGLISH, Language, Message
from desktop_app.output.late_file import LateFile
from desktop_app.output.people import people_table
from desktop_app.output.table_text import encoded, json_document
from desktop_app.sources.opening import SourceInfo
from desktop_app.version import program_version
from desktop_app.vision.geometry import Line

REPORT_SUFFIXES: Final = (".html", ".json")


class AudienceFiles:
    """Follows a run and writes at its end who was there: visits, counts, or both.

    Not thread-safe.

    Args:
        manifest: of the model in use.
        info: the source.
        lines: whose crossings are counted.
        begin_s: moment of the source at which it is begun to look, in seconds.
        language: of the report.
    """

    def __init__(
        self,
        manifest: Manifest,
        info: SourceInfo,
        *,
        lines: Sequence[Line] = (),
        begin_s: float = 0.0,
        language: Language = ENGLISH,
    ) -> None:
        self._manifest, self._info, self._lines, self._begin_s = manifest, info, tuple(lines), begin_s
        self._language = language
        self._log = VisitLog(lines)
        self._began_at = datetime.now().astimezone() if info.live else None
        self._notices: tuple[Message | str, ...] = ()

    @property
    def visits(self) -> int:
        """How many visits there are so far, brief ones included."""
        return len(self._log)

    @property
    def duration_s(self) -> float:
        """Seconds from the beginning to the newest frame; 0 for pictures that stand alone."""
        return max(self._log.duration_s - self._begin_s, 0.0)

    def add(self, rendered: RenderedFrame, time_s: float) -> None:
        """Take in the next frame, which was taken `time_s` seconds after the beginning of the source."""
        note_faces(self._log, rendered, time_s)

    def note(self, notices: Sequence[Message | str]) -> None:
        """Keep sentences that the report is to say of the run."""
        self._notices = tuple(notices)

    def audience(self) -> Audience:
        """The counts so far."""
        return summarise(
            self._log.visits(self._manifest.labels),
            self._manifest,
            frames=self._log.frames,
            duration_s=self.duration_s,
            begin_s=self._begin_s,
            lines=self._lines,
        )

    def files(self, *, people: Path | None, report: Path | None, overwrite: bool) -> list[LateFile]:
        """The files that are wanted; they are written when they are finished.

        Args:
            people: a table, `.csv` or `.jsonl`.
            report: `.html` or `.json`.
            overwrite: replace what is there.
        """
        files = []
        if people is not None:
            table_suffix = people.suffix.lower()
            files.append(LateFile(people, lambda: self._table(table_suffix), overwrite=overwrite))
        if report is not None:
            suffix = report.suffix.lower()
            files.append(LateFile(report, lambda: self._report(suffix), overwrite=overwrite))
        return files

    def _table(self, suffix: str) -> bytes:
        return people_table(self._log.visits(self._manifest.labels), self._manifest.labels, suffix)

    def _report(self, suffix: str) -> bytes:
        return report_bytes(
            self.audience(),
            self._manifest,
            source=self._info.name,
            suffix=suffix,
            began_at=self._began_at,
            notices=self._notices,
            language=self._language,
        )


def note_faces(log: VisitLog, rendered: RenderedFrame, time_s: float) -> None:
    """Take the faces of the next frame into a log, `time_s` seconds after the beginning of the source."""
    frame = rendered.frame
    height, width = rendered.picture.shape[:2]
    log.add(
        frame.index,
        time_s,
        frame.origin,
        rendered.tracks,
        rendered.labels,
        still=frame.alone,
        width=width,
        height=height,
        mirrored=rendered.mirrored,
    )


def report_bytes(
    audience: Audience,
    manifest: Manifest,
    *,
    source: str,
    suffix: str,
    began_at: datetime | None = None,
    notices: Sequence[Message | str] = (),
    language: Language = ENGLISH,
) -> bytes:
    """The content of a report.

    Args:
        audience: the counts.
        manifest: of the model that they were made by.
        source: name of the source, for people.
        suffix: `.html` or `.json`.
        began_at: when a live source was opened.
        notices: sentences on what could not be read.
        language: of a page.
    """
    # Jinja takes a while to import, and a run without a report needs none.
    from desktop_app.analytics.report import ReportFacts, report_html, report_values

    facts = ReportFacts(source=source, manifest=manifest, version=program_version(), began_at=began_at, notices=notices)
    if suffix == ".html":
        return encoded(report_html(audience, facts, language))
    return json_document(report_values(audience, facts))
