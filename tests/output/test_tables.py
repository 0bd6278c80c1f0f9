from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from desktop_app.output.people import people_table
from desktop_app.output.predictions import FaceRow, PredictionFileError, PredictionWriter, face_rows
from desktop_app.output.tables import TABLE_SUFFIXES, Column, Row, TableFormatError, check_format, table_encoder
from desktop_app.vision.geometry import Box
from tests.helpers.visitors import LABELS, label, track, visit

pd = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).resolve().parents[2]
SAID = label(0.12, 0.18, 0.7)
PROBABILITIES = ["p_age_0-19", "p_age_20-59", "p_age_60+", "p_gender_Male", "p_gender_Female"]


def read(path: Path) -> Any:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    return pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_parquet(path)


def flat(table: Any) -> Any:
    """JSON's objects as the columns that Parquet has."""
    for name, start in (("ages", "p_age_"), ("genders", "p_gender_")):
        if name in table:
            table = table.join(pd.DataFrame([row or {} for row in table.pop(name)]).add_prefix(start))
    return table


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_pandas_reads_predictions_with_the_right_types(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"faces{suffix}"
    with PredictionWriter(path, classes=LABELS) as writer:
        for frame in range(3):
            labels = {} if frame == 0 else {1: SAID}
            tracks = [track(number, box=Box(1.5, 2.5, 30.5, 40.5)) for number in (1, 2)]
            writer.write(face_rows(frame, frame / 30, "演示 'a'.mp4", tracks, labels))

    table = flat(read(path))

    kinds = {name: table[name].dtype.kind for name in table}
    assert [kinds[name] for name in ("frame", "track")] == ["i", "i"]
    numbers = ["time_s", "x", "y", "width", "height", "score", "age_confidence", "gender_confidence", "age_years"]
    assert {kinds[name] for name in numbers} == {"f"}
    assert all(pd.api.types.is_string_dtype(table[name].dropna()) for name in ("file", "age", "gender"))
    assert list(table["frame"]) == [0, 0, 1, 1, 2, 2]
    assert set(table["file"]) == {"演示 'a'.mp4"}
    assert [round(value, 6) for value in table["time_s"][::2]] == [0.0, 0.033333, 0.066667]
    assert list(table["age"].dropna()) == ["60+", "60+"]
    assert table["age"].isna().sum() == table["age_years_high"].isna().sum() == 4
    if suffix != ".csv":
        # In CSV, an empty cell may mean that nothing is unsure, or that there is no prediction yet.
        assert list(table["unsure"].fillna("?")) == ["?", "?", "", "?", "", "?"]
        assert [round(value, 4) for value in table.loc[2, PROBABILITIES]] == [0.12, 0.18, 0.7, 0.1, 0.9]
        assert table.loc[0, PROBABILITIES].isna().all()


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_pandas_reads_people_with_the_right_types(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"people{suffix}"
    path.write_bytes(people_table([visit(1, 0, 3.9, SAID), visit(2, 1, 1.1)], LABELS, suffix))

    table = flat(read(path))

    assert table["counted"].dtype.kind == ("b" if suffix == ".parquet" else "i")
    assert list(table["counted"].astype(bool)) == [True, False]
    assert (table["frames"].dtype.kind, table["time_in_view_s"].dtype.kind) == ("i", "f")
    assert list(table["age"].dropna()) == ["60+"]
    if suffix != ".csv":
        assert [round(value, 4) for value in table.loc[0, PROBABILITIES]] == [0.12, 0.18, 0.7, 0.1, 0.9]


def test_parquet_is_written_in_row_groups(tmp_path: Path) -> None:
    encoder = table_encoder(".parquet", [Column("frame", int)], None)
    parts = [encoder.start()]
    parts += [encoder.add([Row({"frame": start + index}) for index in range(700)]) for start in range(0, 70_000, 700)]
    assert sum(map(len, parts)) > 1000
    path = tmp_path / "frames.parquet"
    path.write_bytes(b"".join([*parts, encoder.end()]))

    file = parquet.ParquetFile(path)

    assert file.metadata.num_row_groups == 3
    assert file.read()["frame"].to_pylist() == list(range(70_000))


def test_parquet_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    with PredictionWriter(path, classes=LABELS) as writer:
        writer.write(face_rows(0, 0.0, "caf\udce9.jpg", [track(1)], {1: SAID}))
        assert [file.name for file in tmp_path.iterdir()] == ["faces.part.parquet"]
    assert [file.name for file in tmp_path.iterdir()] == ["faces.parquet"]
    assert list(pd.read_parquet(path)["file"]) == ["caf\\udce9.jpg"]


def test_parquet_that_is_left_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    writer = PredictionWriter(path)
    writer.write([FaceRow(0, 0.0, "a.mp4", 1, 0.0, 0.0, 1.0, 1.0, 1.0)])
    writer.keep()
    writer.close()
    assert len(pd.read_parquet(path)) == 1


def test_parquet_does_not_take_a_name_that_another_program_took(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    writer = PredictionWriter(path)
    writer.write([FaceRow(0, 0.0, "a.mp4", 1, 0.0, 0.0, 1.0, 1.0, 1.0)])
    path.write_bytes(b"precious")
    with pytest.raises(PredictionFileError, match="exists already"):
        writer.close()
    assert path.read_bytes() == b"precious"
    assert len(pd.read_parquet(tmp_path / "faces.part.parquet")) == 1


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableFormatError, match=r"pip install 'agelens\[parquet\]'"):
        check_format(tmp_path / "faces.parquet")
    check_format(tmp_path / "faces.jsonl")


# Writes what does not fit into the 4 kB that a file may have.
WRITE = """
import resource, sys
from pathlib import Path
from desktop_app.output.predictions import FaceRow, PredictionWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
with PredictionWriter(Path(sys.argv[1])) as writer:
    writer.write([FaceRow(frame, frame / 7, "a.mp4", 1, 0.0, 0.0, 1.0, 1.0, 1.0) for frame in range(5000)])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_parquet_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "faces.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "ended: the file became larger" in done.stderr
    assert not list(tmp_path.iterdir())
