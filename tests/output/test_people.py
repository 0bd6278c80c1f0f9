from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.analytics.crossings import Crossings
from desktop_app.errors import AgelensError
from desktop_app.output.late_file import LateFile
from desktop_app.output.people import PEOPLE_FIELDS, people_table
from tests.helpers.visitors import LABELS, label, visit

VISITS = [
    visit(1, 0, 4, label(0.1, 0.1, 0.8)),
    visit(2, 1, 2, label(0.34, 0.33, 0.33, female=0.55)),
    replace(visit(3, 1, 1.1), crossings=(Crossings(2, 1),)),
]


def test_a_table_has_a_row_a_visit() -> None:
    lines = people_table(VISITS, LABELS, ".csv").decode().splitlines()
    assert lines[0] == ",".join(PEOPLE_FIELDS)
    rows = list(csv.DictReader(lines))
    assert [row["track"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["first_seen_s"], rows[0]["last_seen_s"], rows[0]["frames"]) == ("0.000000", "4.000000", "41")
    assert (rows[0]["age"], rows[0]["age_low"], rows[0]["age_high"], rows[0]["unsure"]) == ("60+", "60", "", "")
    assert (rows[1]["age_low"], rows[1]["age_high"], rows[1]["unsure"]) == ("0", "59", "age gender")
    crossed = [[row[name] for name in PEOPLE_FIELDS[-4:]] for row in rows]
    assert crossed == [["", "", "", ""], ["", "", "", ""], ["2", "1", "", ""]]
    assert (rows[2]["counted"], rows[2]["age"], rows[2]["gender"]) == ("0", "", "")


def test_json_lines_have_all_probabilities() -> None:
    rows = [json.loads(line) for line in people_table(VISITS, LABELS, ".jsonl").splitlines()]
    assert list(rows[0]) == [*PEOPLE_FIELDS, "ages", "genders"]
    assert rows[0]["ages"] == {"0-19": 0.1, "20-59": 0.1, "60+": 0.8}
    assert rows[0]["genders"] == {"Male": 0.1, "Female": 0.9}
    assert rows[2]["ages"] is None
    without = json.loads(people_table([visit(1, 0, 4, label(0.1, 0.1, 0.8, female=None))], LABELS, ".jsonl"))
    assert (without["gender"], without["genders"]) == (None, None)


def test_a_late_file_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    path, content = tmp_path / "people.csv", ["one"]
    with LateFile(path, lambda: "".join(content).encode()) as file:
        content.append("two")
        assert not path.exists()
        file.finish()
        content.append("three")
    file.close()
    file.keep()
    assert path.read_text() == "onetwo"


def test_a_late_file_replaces_only_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("my work")
    with pytest.raises(AgelensError, match=r"people\.csv"):
        LateFile(path, lambda: b"new").close()
    LateFile(path, lambda: b"new", overwrite=True).keep()
    assert path.read_text() == "my work"
    assert (tmp_path / "people.part.csv").read_bytes() == b"new"
    LateFile(path, lambda: b"new", overwrite=True).close()
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove an open file")
def test_a_late_file_that_was_removed_is_reported(tmp_path: Path) -> None:
    file = LateFile(tmp_path / "people.csv", lambda: b"new")
    file.finish()
    (tmp_path / "people.csv").unlink()
    with pytest.raises(AgelensError, match=r"Cannot write “.*people\.csv”"):
        file.close()
    file.close()
