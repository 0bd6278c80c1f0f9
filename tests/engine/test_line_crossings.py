"""Faces that walk over lines in a film: what `annotate` counts against what was drawn."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from desktop_app.engine.annotate import AnnotationRequest, annotate
from desktop_app.errors import AgelensError
from desktop_app.vision.geometry import Line
from tests.helpers.portrait import astronaut_bgr

WIDTH, HEIGHT, SIDE = 640, 360, 150
RATE = 15
UPRIGHT, LEVEL = Line(0.5, 0, 0.5, 1), Line(0.55, 0.5, 1, 0.5)


def write_walk(path: Path, *ways: list[tuple[float, float]]) -> Path:
    """A film of portraits that go from place to place, two seconds each; places are shares of the picture."""
    face = cv2.resize(astronaut_bgr()[:280, 80:360], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    frames = (len(ways[0]) - 1) * 2 * RATE + 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            for way in ways:
                moments = np.arange(len(way)) * 2 * RATE
                x, y = (
                    int(np.interp(index, moments, [place[axis] for place in way]) * (WIDTH, HEIGHT)[axis])
                    for axis in (0, 1)
                )
                left, top = min(max(x - SIDE // 2, 0), WIDTH - SIDE), min(max(y - SIDE // 2, 0), HEIGHT - SIDE)
                picture[top : top + SIDE, left : left + SIDE] = face
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


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
