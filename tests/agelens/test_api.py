"""The Python API as a user's program sees it."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import agelens
from agelens import AgelensError, Analyzer, Crossings, Line, OverlayStyle, draw, report, visits, write_people
from desktop_app.paths import ROOT
from tests.helpers.films import write_film_with_sound
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.walks import write_walk


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(provider="cpu") as made:
        yield made


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "party.jpg"
    path.write_bytes(cv2.imencode(".jpg", astronaut_bgr())[1].tobytes())
    return path


def write_film(path: Path, frames: int = 4) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (512, 512))
    for _ in range(frames):
        writer.write(astronaut_bgr())
    writer.release()
    return path


def test_a_picture_is_an_array_or_a_file(analyzer: Analyzer, tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(cv2.imencode(".png", astronaut_bgr())[1].tobytes())
    answers = [analyzer.analyze(one) for one in (astronaut_bgr(), path, str(path), np.asfortranarray(astronaut_bgr()))]
    (face,) = answers[0]
    assert {answer[0].age for answer in answers} == {face.age}
    assert {answer[0].box for answer in answers} == {face.box}
    assert abs(face.box.x - 172) < 30
    assert face.ages.keys() == {one.name for one in analyzer.labels.ages}
    assert sum(face.ages.values()) == pytest.approx(1, abs=1e-5)
    assert face.age_confidence == max(face.ages.values()) == face.ages[str(face.age)]
    assert face.years is not None
    assert face.years.low <= face.years.high
    assert face.gender_confidence == max(face.genders.values())
    assert (face.age_shown == face.age) == ("age" not in face.unsure)
    assert f"Face({face.id}, " in repr(face)


def test_many_pictures_come_in_their_order(analyzer: Analyzer, portrait: Path) -> None:
    empty = np.zeros((64, 48, 3), np.uint8)
    pictures: list[agelens.Picture] = [astronaut_bgr(), empty, portrait]
    results = list(analyzer.analyze_all(iter(pictures)))
    assert [(one.index, len(one.faces), one.still) for one in results] == [(0, 1, True), (1, 0, True), (2, 1, True)]
    assert results[2].file == "party.jpg"
    assert len({one.id for result in results for one in result.faces}) == 2
    assert [one.still for one in visits(results)] == [True, True]


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_an_array_that_is_no_picture_is_refused(analyzer: Analyzer, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be H×W×3 uint8 in BGR order"):
        analyzer.analyze(picture)
    assert analyzer.analyze(np.zeros((64, 64, 3), np.uint8)) == ()


def test_a_file_that_is_no_picture_is_refused(analyzer: Analyzer, tmp_path: Path) -> None:
    with pytest.raises(AgelensError, match="there is no such file"):
        analyzer.analyze("demo")
    film = write_film_with_sound(tmp_path / "talk.mp4")
    with pytest.raises(AgelensError, match=r"it is not one picture\. Use `stream`"):
        analyzer.analyze(film)
    with pytest.raises(AgelensError, match="there is no such file"):
        next(analyzer.stream(tmp_path / "nowhere.mp4"))


def test_a_film_is_followed_drawn_and_counted(analyzer: Analyzer, tmp_path: Path) -> None:
    film = write_film(tmp_path / "party.mp4")
    results = list(analyzer.stream(film))
    assert [(one.index, round(one.time_s, 3)) for one in results] == [(0, 0), (1, 0.1), (2, 0.2), (3, 0.3)]
    assert {face.id for one in results for face in one.faces} == {1}
    drawn = draw(results[-1])
    assert drawn.shape == results[-1].image.shape
    assert (drawn != results[-1].image).any()
    hidden = draw(results[-1], style=OverlayStyle(privacy="faces", boxes=False, names=False))
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) < len(np.unique(drawn.reshape(-1, 3), axis=0))
    (visit,) = visits(results)
    assert visit.age_shown
    assert visit.gender_shown
    assert (visit.frames, round(visit.time_in_view_s, 3)) == (4, 0.3)
    write_people([visit], tmp_path / "people.csv", labels=analyzer.labels)
    with (tmp_path / "people.csv").open(encoding="utf-8") as file:
        assert [row["track"] for row in csv.DictReader(file)] == ["1"]
    report(results, tmp_path / "report.json")
    values = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (values["source"], values["visits"], values["frames"]) == ("party.mp4", 1, 4)
    with pytest.raises(AgelensError, match="exists"):
        report(results, tmp_path / "report.json")
    with pytest.raises(ValueError, match=r"must end in \.html or \.json"):
        report(results, tmp_path / "report.pdf")
    with pytest.raises(ValueError, match="no results"):
        report([], tmp_path / "none.html")


def test_who_crosses_a_line_is_counted_by_direction(analyzer: Analyzer, tmp_path: Path) -> None:
    film = write_walk(tmp_path / "walk.mp4", [(0.4, 0.5), (0.6, 0.5)], leg_s=1)
    door, floor = Line(0.5, 0, 0.5, 1), Line(0, 0.95, 1, 0.95)
    results = list(analyzer.stream(film))
    (visit,) = visits(results, lines=[door, floor])
    assert visit.crossings == (Crossings(forward=0, backward=1), Crossings())
    (visit,) = visits(results, lines=[Line(0.5, 1, 0.5, 0)])
    assert visit.crossings == (Crossings(forward=1, backward=0),)
    write_people([visit], tmp_path / "people.csv", labels=analyzer.labels)
    (row,) = csv.DictReader((tmp_path / "people.csv").read_text(encoding="utf-8").splitlines())
    assert (row["line1_forward"], row["line1_backward"], row["line2_forward"]) == ("1", "0", "")
    report(results, tmp_path / "report.json", lines=[door])
    (line,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["lines"]
    assert (line["forward"], line["backward"]) == (0, 1)
    assert [one.crossings for one in visits(analyzer.analyze_all([results[0].image]), lines=[door])] == [(Crossings(),)]
    assert visits(results)[0].crossings == ()
    with pytest.raises(ValueError, match="2 at the most"):
        visits(results, lines=[door] * 3)
    with pytest.raises(ValueError, match=r"Line\(x1=0, y1=0, x2=2, y2=1\) is too short, or not in the picture"):
        report(results, tmp_path / "other.json", lines=[Line(0, 0, 2, 1)])


def test_who_leaves_a_film_early_can_go_on(analyzer: Analyzer) -> None:
    threads = threading.active_count()
    with closing(analyzer.stream("demo")) as results:
        assert len(list(islice(results, 2))) == 2
        with pytest.raises(RuntimeError, match="works on something else"):
            analyzer.analyze(astronaut_bgr())
    assert len(analyzer.analyze(astronaut_bgr())) == 1
    assert threading.active_count() <= threads + 1


def test_gender_can_be_left_out() -> None:
    analyzer = Analyzer(provider="cpu", gender=False)
    (face,) = analyzer.analyze(astronaut_bgr())
    assert (face.gender, face.gender_shown, face.genders) == (None, None, {})
    assert face.age
    analyzer.close()
    analyzer.close()
    with pytest.raises(RuntimeError, match="is closed"):
        analyzer.analyze(astronaut_bgr())


def test_the_example_of_the_readme_runs(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_film(tmp_path / "party.mp4")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 1
    exec(compile(examples[0], "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert "Audience report" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_name_is_documented() -> None:
    for name in agelens.__all__:
        value = getattr(agelens, name)
        assert name == "Picture" or value.__doc__, name
    assert (Path(agelens.__file__).parent / "py.typed").exists()


@pytest.mark.slow
def test_importing_it_loads_no_qt_and_it_starts_the_program() -> None:
    code = "import sys, agelens; print([name for name in sys.modules if 'PySide' in name or 'pyqtgraph' in name])"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
    command = [sys.executable, "-m", "agelens", "models"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.startswith("agelens\t")
