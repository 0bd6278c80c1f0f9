"""The file beside a table of predictions that says what they are and how they came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.engine.types import AnalysisSettings, RenderedFrame
from desktop_app.output.late_file import LateFile
from desktop_app.output.table_text import json_document
from desktop_app.sources.opening import SourceInfo
from desktop_app.version import program_version


def facts_path(table: Path) -> Path:
    """The name beside a table, as `faces.csv.meta.json` beside `faces.csv`."""
    return table.with_name(f"{table.name}.meta.json")


@dataclass(slots=True)
class RunFacts:
    """What is known of a run, as values for JSON.

    Of the source only its name is kept, not where it lies: the path may tell who somebody is, and an address may hold
    a password.

    Attributes:
        settings: what was looked at, and how.
        package: the model in use; None where none is loaded yet.
        provider: the execution provider in use.
        source: what is known of the source.
        frames: written so far.
        faces: seen in these, each once a frame.
        dropped: frames of a live source that were skipped to keep up.
        complete: the run was not interrupted: a source was read to its end, a recording was stopped.
        notices: sentences on what could not be read.
    """

    settings: AnalysisSettings
    package: ModelPackage | None
    provider: str
    source: SourceInfo
    frames: int = 0
    faces: int = 0
    dropped: int = 0
    complete: bool = False
    notices: Sequence[str] = ()
    _began_at: datetime = field(default_factory=lambda: datetime.now().astimezone())
    _size: tuple[int, int] = (0, 0)
    _span_s: tuple[float, float] | None = None

    def add(self, rendered: RenderedFrame, time_s: float, faces: int) -> None:
        """Take in the next frame, which was taken `time_s` seconds after the beginning of the source."""
        if self._span_s is None:
            height, width = rendered.frame.image.shape[:2]
            self._size, self._span_s = (width, height), (time_s, time_s)
        self._span_s = (self._span_s[0], time_s)
        self.frames += 1
        self.faces += faces

    def file(self, table: Path, *, overwrite: bool) -> LateFile:
        """The file beside a table; it is written when that is finished, and not where that cannot be."""
        return LateFile(
            facts_path(table), lambda: json_document(self.values(table.name)), overwrite=overwrite, attached=True
        )

    def values(self, table: str) -> dict[str, Any]:
        """The facts by name; times of the clock are local, with their distance from UTC."""
        settings, source, choice = self.settings, self.source, self.settings.choice
        first_s, last_s = self._span_s or (0.0, 0.0)
        return {
            "table": table,
            "program": "agelens",
            "version": program_version(),
            "model": _model_values(self.package, self.provider) if self.package is not None else None,
            "options": {
                "oversample": choice.oversample,
                "gender": choice.gender,
                "detector": settings.detector,
                "min_score": settings.min_score,
                "mirror": settings.mirror,
                "privacy": settings.style.privacy,
                "start_s": settings.excerpt.start_s,
                "end_s": settings.excerpt.end_s,
                "every_s": settings.excerpt.every_s or None,
                "hardware_decoding": settings.hardware_decoding,
            },
            "source": {
                "kind": source.kind,
                "name": source.title,
                "live": source.live,
                "width": self._size[0],
                "height": self._size[1],
                "rate": source.rate or None,
                "duration_s": None if source.duration_s is None or source.entries else round(source.duration_s, 6),
            },
            "run": {
                "frames": self.frames,
                "faces": self.faces,
                "dropped": self.dropped,
                "first_s": round(first_s, 6),
                "last_s": round(last_s, 6),
                "complete": self.complete,
                "notices": list(self.notices),
                "began_at": self._began_at.isoformat(timespec="seconds"),
                "ended_at": datetime.now().astimezone().isoformat(timespec="seconds"),
            },
        }


def _model_values(package: ModelPackage, provider: str) -> dict[str, Any]:
    return {
        "name": package.name,
        "title": package.title,
        "files": {file.name: package.manifest.files.get(file.name) for file in package.onnx_files},
        "ages": [age.name for age in package.labels.ages],
        "genders": list(package.labels.genders),
        "provider": provider,
    }
