"""Faces that walk over lines in a film: what `annotate` counts against what was drawn."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from desktop_app.engine.annotate import AnnotationRequest, annotate
from desktop_app.errors import AgelensError
from desktop_app.vision.geometry import Line
from tests.helpers.walks import write_walk

UPRIGHT, LEVEL = Line(0.5, 0, 0.5, 1), Line(0.55, 0.5, 1, 0.5)


@pytest.mark.slow
def test_crossings_are_those_that_were_made(tmp_path: Path) -> None:
    film = write_walk(
        tmp_path / "walk.mp4",
        [(0.2, 0.25), (0.8, 0.25), (0.8, 0.75), (0.2, 0.75)],
    )
    people, report = tmp_path / "people.csv", tmp_path / "report.json"
    for _ in annotate(AnnotationRequest(source=str(film), people=people, report=report, lines=(UPRIGHT, LEVEL))):
        pass
    (row,) = csv.DictReader(people.read_text().splitlines())
    assert [row[name] for name in ("line1_forward", "line1_backward", "line2_forward", "line2_backward")] == list(
        "1110"
    )
    counted = json.loads(report.read_text())["lines"]
    assert [(one["forward"], one["backward"]) for one in counted] == [(1, 1), (1, 0)]
    assert counted[0]["line"] == {"x1": 0.5, "y1": 0, "x2": 0.5, "y2": 1}


def test_lines_need_a_file_and_are_few(tmp_path: Path) -> None:
    with pytest.raises(AgelensError, match="no file for them"):
        next(annotate(AnnotationRequest(predictions=tmp_path / "a.csv", lines=(LEVEL,))))
    with pytest.raises(AgelensError, match="more than two lines"):
        next(annotate(AnnotationRequest(people=tmp_path / "a.csv", lines=(LEVEL, UPRIGHT, LEVEL))))
