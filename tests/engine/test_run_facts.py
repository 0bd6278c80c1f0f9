"""The file beside the predictions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from desktop_app.engine.annotate import AnnotationRequest, annotate
from desktop_app.errors import AgelensError
from desktop_app.paths import MODELS_FOLDER
from desktop_app.stopping import StopRequest
from tests.helpers.portrait import astronaut_bgr


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    folder = tmp_path / "Ms Secret's pictures"
    folder.mkdir()
    path = folder / '肖像 "1" 🙂.png'
    path.write_bytes(cv2.imencode(".png", astronaut_bgr())[1].tobytes())
    return path


def facts_of(table: Path) -> Any:
    return json.loads(table.with_name(f"{table.name}.meta.json").read_text(encoding="utf-8"))


def test_predictions_say_how_they_came_about(portrait: Path, tmp_path: Path) -> None:
    table = tmp_path / "faces.csv"
    list(annotate(AnnotationRequest(source=str(portrait), predictions=table, min_score=0.4)))
    facts = facts_of(table)
    weights = (MODELS_FOLDER / "agelens.onnx").read_bytes()
    assert facts["model"]["files"] == {"agelens.onnx": hashlib.sha256(weights).hexdigest()}
    assert facts["source"]["name"] == portrait.name
    assert "Secret" not in json.dumps(facts)
    assert (facts["source"]["width"], facts["source"]["height"]) == (512, 512)
    assert facts["run"].items() >= {"frames": 1, "faces": 1, "dropped": 0, "complete": True}.items()
    assert (facts["options"]["min_score"], facts["options"]["gender"]) == (0.4, True)
    assert facts["run"]["began_at"] <= facts["run"]["ended_at"]


def test_a_run_that_was_interrupted_is_not_complete(tmp_path: Path) -> None:
    table, stop = tmp_path / "faces.csv", StopRequest()
    for step in annotate(AnnotationRequest(source="demo", predictions=table), stop):
        if step.frames == 2:
            stop.set()
    facts = facts_of(table)
    assert facts["run"]["complete"] is False
    assert facts["run"]["frames"] >= 2
    assert facts["source"]["rate"] == 30.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.csv", "faces.csv.meta.json"]


def test_nothing_is_overwritten_by_accident(portrait: Path, tmp_path: Path) -> None:
    table, beside = tmp_path / "faces.csv", tmp_path / "faces.csv.meta.json"
    beside.write_text("my work")
    with pytest.raises(AgelensError, match=r"faces\.csv\.meta\.json”: it exists already"):
        list(annotate(AnnotationRequest(source=str(portrait), predictions=table)))
    assert (beside.read_text(), table.exists()) == ("my work", False)
    list(annotate(AnnotationRequest(source=str(portrait), predictions=table, overwrite=True)))
    assert facts_of(table)["run"]["frames"] == 1
