from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.output.predictions import FIELDS, FaceRow, PredictionFileError, PredictionWriter, face_rows
from desktop_app.output.table_text import defused
from desktop_app.output.tables import TableFormatError
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import make_label
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

ROOT = Path(__file__).resolve().parents[2]
HEADER = "frame,time_s,file,track,x,y,width,height,score,age,age_confidence,gender,gender_confidence,unsure,"
HEADER += "age_years,age_years_low,age_years_high"
KNOWN = FaceRow(
    *(12, 0.4, "a.mp4", 3, 10.25, -0.01, 100.0, 120.0, 0.987654),
    *("20-29", 0.75, "Female", 1.0, "age gender", 25.04, 19, 31),
    ages={"20-29": 0.75, "30-39": 0.25},
    genders={"Female": 1.0, "Male": 0.0},
)
SHARES = Prediction(age=np.array([0.2, 0.8], np.float32), gender=np.array([0.5, 0.5], np.float32))
NEW = FaceRow(13, 13 / 30, "a.mp4", 4, 0.0, 0.0, 50.0, 60.0, 0.5)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SHARE = st.floats(0, 1)
PIXELS = st.floats(-5000, 5000)


@st.composite
def rows(draw: st.DrawFn) -> FaceRow:
    labelled = draw(st.booleans())
    # An empty name cannot be told from a missing one in CSV; models have none.
    name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    return FaceRow(
        frame=draw(st.integers(0, 10**9)),
        time_s=draw(st.floats(0, 1e6)),
        file=draw(TEXT),
        track=draw(st.integers(1, 10**9)),
        x=draw(PIXELS),
        y=draw(PIXELS),
        width=draw(PIXELS),
        height=draw(PIXELS),
        score=draw(SHARE),
        age=draw(name) if labelled else None,
        age_confidence=draw(SHARE) if labelled else None,
        gender=draw(name) if labelled else None,
        gender_confidence=draw(SHARE) if labelled else None,
        unsure=draw(st.sampled_from(["", "age", "gender", "age gender"])) if labelled else None,
        age_years=draw(st.floats(0, 120)) if labelled else None,
        age_years_low=draw(st.integers(0, 120)) if labelled else None,
        age_years_high=draw(st.integers(0, 120)) if labelled else None,
    )


def write(path: Path, batches: Sequence[Sequence[FaceRow]]) -> bytes:
    with PredictionWriter(path) as writer:
        for batch in batches:
            writer.write(batch)
    return path.read_bytes()


FORMULA_STARTS = ["=", "+", "-", "@", "\t", "\r", "\n"]


def track(number: int, *, missed: int = 0) -> Track:
    point = Point(0, 0)
    detection = Detection(Box(1, 2, 30, 40), 0.8, Landmarks(point, point, point, point, point, point))
    return Track(id=number, detection=detection, first_seen_at=0, last_seen_at=1, hits=3, missed=missed)


def test_csv_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "faces.csv", [[KNOWN], [], [NEW]]).decode() == (
        f"{HEADER}\n"
        "12,0.400000,a.mp4,3,10.2,0.0,100.0,120.0,0.9877,20-29,0.7500,Female,1.0000,age gender,25.0,19,31\n"
        "13,0.433333,a.mp4,4,0.0,0.0,50.0,60.0,0.5000,,,,,,,,\n"
    )


def test_json_lines_bytes(tmp_path: Path) -> None:
    known, new = write(tmp_path / "faces.jsonl", [[KNOWN, NEW]]).decode().splitlines()

    assert known == (
        '{"frame": 12, "time_s": 0.4, "file": "a.mp4", "track": 3, "x": 10.2, "y": 0.0, "width": 100.0, '
        '"height": 120.0, "score": 0.9877, "age": "20-29", "age_confidence": 0.75, "gender": "Female", '
        '"gender_confidence": 1.0, "unsure": "age gender", '
        '"age_years": 25.0, "age_years_low": 19, "age_years_high": 31, '
        '"ages": {"20-29": 0.75, "30-39": 0.25}, "genders": {"Female": 1.0, "Male": 0.0}}'
    )
    assert [json.loads(new)[name] for name in (*FIELDS[-8:], "ages", "genders")] == [None] * 10


def test_file_without_faces_has_its_header(tmp_path: Path) -> None:
    assert write(tmp_path / "faces.csv", []).decode() == f"{HEADER}\n"
    assert write(tmp_path / "faces.jsonl", []) == b""


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_file_whose_name_begins_as_a_formula_is_text_in_a_spreadsheet(tmp_path: Path, start: str) -> None:
    name = f"{start}HYPERLINK(1).jpg"
    row = FaceRow(0, 0.0, name, 1, -4.0, 0.0, 1.0, 1.0, 1.0, age="+60", unsure="")
    write(tmp_path / "faces.csv", [[row]])
    with (tmp_path / "faces.csv").open(encoding="utf-8", newline="") as file:
        (read,) = csv.DictReader(file)
    assert (read["file"], read["x"], read["age"]) == (f"'{name}", "-4.0", "+60")
    assert json.loads(write(tmp_path / "faces.jsonl", [[row]]))["file"] == name


@settings(max_examples=60, deadline=None)
@given(written=st.lists(rows(), max_size=5))
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, written: list[FaceRow]) -> None:
    path = tmp_path_factory.mktemp("csv") / "faces.csv"
    write(path, [written])

    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))

    assert len(read) == len(written)
    for row, fields in zip(written, read, strict=True):
        assert tuple(fields) == FIELDS
        for name, value in row.values().items():
            if value is None:
                assert fields[name] == ""
            elif name == "file":
                assert fields[name] == defused(row.file)
                assert fields[name][:1] not in FORMULA_STARTS or not row.file
            elif isinstance(value, str):
                assert fields[name] == value
            else:
                assert float(fields[name]) == value


@settings(max_examples=60, deadline=None)
@given(written=st.lists(rows(), max_size=5))
def test_json_lines_round_trip(tmp_path_factory: pytest.TempPathFactory, written: list[FaceRow]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "faces.jsonl"
    lines = write(path, [written]).decode("utf-8").split("\n")

    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [{**row.values(), "ages": None, "genders": None} for row in written]


@given(row=rows())
def test_rounding_is_small_and_stable(row: FaceRow) -> None:
    values = row.values()

    assert values["time_s"] == pytest.approx(row.time_s, abs=5.1e-7)
    assert values["x"] == pytest.approx(row.x, abs=0.051)
    assert values["score"] == pytest.approx(row.score, abs=5.1e-5)
    assert "-0.0" not in [str(value) for name, value in values.items() if name not in ("file", "age", "gender")]
    assert FaceRow(**values).values() == values  # type: ignore[arg-type]


def test_file_names_that_are_not_text_stay_valid_utf_8(tmp_path: Path) -> None:
    row = FaceRow(0, 0.0, "caf\udce9.jpg", 1, 0.0, 0.0, 1.0, 1.0, 1.0)

    assert "caf\\udce9.jpg" in write(tmp_path / "faces.csv", [[row]]).decode("utf-8")
    assert json.loads(write(tmp_path / "faces.jsonl", [[row]]).decode("utf-8"))["file"] == row.file


def test_rows_of_a_frame_are_its_visible_faces() -> None:
    label = make_label(SHARES, Labels((AgeLabel("0-19", 0, 19), AgeLabel("20-29", 20, 29)), ("Female", "Male")))

    assert label.years.expected == pytest.approx(21.5)

    found = face_rows(5, 0.25, "a.mp4", [track(2), track(1, missed=2), track(7)], {2: label, 1: label})

    assert found == [
        FaceRow(
            5,
            0.25,
            "a.mp4",
            2,
            *(1, 2, 30, 40),
            0.8,
            "20-29",
            float(SHARES.age[1]),
            "Female",
            0.5,
            "gender",
            label.years.expected,
            10,
            28,
            {"0-19": 0.2, "20-29": 0.8},
            {"Female": 0.5, "Male": 0.5},
        ),
        FaceRow(5, 0.25, "a.mp4", 7, 1, 2, 30, 40, 0.8, None, None, None, None),
    ]


@pytest.mark.parametrize("name", ["faces.txt", "faces", "faces.json"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableFormatError, match=r"\.csv, \.jsonl or \.parquet"):
        PredictionWriter(tmp_path / name)

    assert not list(tmp_path.iterdir())


def test_existing_file_is_kept_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(b"precious")

    with pytest.raises(PredictionFileError, match="exists already"):
        PredictionWriter(path)

    assert path.read_bytes() == b"precious"


def test_overwrite_replaces_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(b"old")

    with PredictionWriter(path, overwrite=True) as writer:
        writer.write([KNOWN])
        assert path.read_bytes() == b"old"

    assert path.read_text(encoding="utf-8").splitlines()[0] == HEADER
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PredictionFileError, match="the folder does not exist"):
        PredictionWriter(tmp_path / "nowhere" / "faces.csv")


def test_closed_file_takes_no_more(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "faces.csv")
    writer.close()
    writer.close()

    with pytest.raises(PredictionFileError, match="is closed"):
        writer.write([KNOWN])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove an open file")
def test_file_that_was_removed_meanwhile_is_noticed(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "faces.csv")
    (tmp_path / "faces.csv").unlink()

    with pytest.raises(PredictionFileError, match="removed meanwhile"):
        writer.close()


# A program that writes one row after another until it is stopped.
WRITE = """
import sys
from pathlib import Path
from desktop_app.output.predictions import FaceRow, PredictionFileError, PredictionWriter
if int(sys.argv[2]):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with PredictionWriter(Path(sys.argv[1])) as writer:
        for frame in range(1_000_000):
            writer.write([FaceRow(frame, frame / 30, "a.mp4", 1, 0.0, 0.0, 1.0, 1.0, 1.0)])
            print(frame, flush=True)
except PredictionFileError as error:
    print(error)
"""


def test_rows_survive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    command = [sys.executable, "-c", WRITE, str(path), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 50:
            pass
        process.kill()

    # The system may tear the very write that the kill meets; every one that returned is there.
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    frames = [json.loads(line)["frame"] for line in whole.splitlines()]

    assert len(frames) > 50
    assert frames == list(range(len(frames)))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"

    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), "5000"], capture_output=True, text=True, cwd=ROOT, check=True
    )

    *_, last_frame, error = done.stdout.splitlines()
    assert error.startswith(f"The predictions in “{path}” ended: the file became larger")
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert lines[-1].startswith(f"{last_frame},")
    assert 4900 < path.stat().st_size <= 5000
