from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from desktop_app.cli import main
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.programs import wait_until

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "Çelik 肖像.png"
    path.write_bytes(cv2.imencode(".png", astronaut_bgr())[1].tobytes())
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second of a portrait that slides to the right, 20 frames a second."""
    path = tmp_path / "clip.mp4"
    face = astronaut_bgr()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 640, 512, "yuv420p"
        for index in range(10):
            picture = np.zeros((512, 640, 3), np.uint8)
            picture[:, index * 4 : index * 4 + 512] = face
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_video_is_annotated_frame_by_frame(clip: Path, tmp_path: Path) -> None:
    video, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    assert main(["annotate", str(clip), "--output", str(video), "--predictions", str(table)]) == 0
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        frames = [frame.time for frame in container.decode(stream)]
        assert stream.codec_context.name == "h264"
    assert frames == pytest.approx([index / 20 for index in range(10)], abs=0.002)
    rows = rows_of(table)
    assert [int(row["frame"]) for row in rows] == list(range(10))
    assert {row["track"] for row in rows} == {"1"}
    assert {row["gender"] for row in rows} <= {"Female", "Male"}
    assert all(0 < float(row["age_confidence"]) <= 1 for row in rows)
    lefts = [float(row["x"]) for row in rows]
    assert lefts == sorted(lefts)


@pytest.mark.slow
def test_the_same_input_gives_the_same_predictions(clip: Path, tmp_path: Path) -> None:
    tables = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for table in tables:
        assert main(["annotate", str(clip), "--predictions", str(table)]) == 0
    assert tables[0].read_bytes() == tables[1].read_bytes()


@pytest.mark.slow
def test_who_was_there_is_a_table_of_visits_and_a_report(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("one", "two"):
        people, page, values = (tmp_path / f"{run}{suffix}" for suffix in (".csv", ".html", ".json"))
        assert main(["annotate", str(clip), "--people", str(people), "--report", str(page)]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"agelens: wrote 10 frames, 10 faces, 1 visit, 0.5 s: {people}, {page}"
    rows = rows_of(people)
    assert [(row["track"], row["frames"], row["counted"], row["time_in_view_s"]) for row in rows] == [
        ("1", "10", "1", "0.450000")
    ]
    assert "clip.mp4" in page.read_text(encoding="utf-8")
    for name in ("csv", "html"):
        assert (tmp_path / f"one.{name}").read_bytes() == (tmp_path / f"two.{name}").read_bytes()
    assert main(["annotate", str(clip), "--report", str(values)]) == 0
    report = json.loads(values.read_text(encoding="utf-8"))
    assert (report["visits"], report["frames"], report["duration_s"]) == (1, 10, 0.45)
    assert sum(one["expected"] for one in report["ages"]) == pytest.approx(1, abs=0.01)


def test_a_picture_becomes_a_picture_and_json_lines(portrait: Path, tmp_path: Path) -> None:
    picture, table = tmp_path / "out.png", tmp_path / "out.jsonl"
    assert main(["annotate", str(portrait), "--output", str(picture), "--predictions", str(table)]) == 0
    written = cv2.imdecode(np.fromfile(picture, np.uint8), cv2.IMREAD_COLOR)
    assert written is not None
    assert written.shape == (512, 512, 3)
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1
    assert rows[0]["file"] == portrait.name
    assert rows[0]["age"]


def test_what_is_hidden_is_not_drawn(portrait: Path, tmp_path: Path) -> None:
    bare, mirrored = tmp_path / "bare.png", tmp_path / "mirrored.png"
    assert main(["annotate", str(portrait), "--output", str(bare), "--hide", "boxes,numbers", "--hide", "labels"]) == 0
    np.testing.assert_array_equal(cv2.imread(str(bare)), astronaut_bgr())
    options = ["--mirror", "--hide", "boxes,labels", "--detector", "full", "--min-score", "0.9"]
    assert main(["annotate", str(portrait), "--output", str(mirrored), *options]) == 0
    np.testing.assert_array_equal(cv2.imread(str(mirrored)), astronaut_bgr()[:, ::-1])


@pytest.mark.slow
def test_a_folder_becomes_a_folder(portrait: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("b.png", "a10.png", "a9.png"):
        (folder / name).write_bytes(portrait.read_bytes())
    (folder / "notes.txt").write_text("not a picture")
    out, table = tmp_path / "out", tmp_path / "out.csv"
    assert main(["annotate", str(folder), "--output", str(out), "--predictions", str(table)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a10.png.png", "a9.png.png", "b.png.png"]
    rows = rows_of(table)
    assert [row["file"] for row in rows] == ["a9.png", "a10.png", "b.png"]
    assert len({row["track"] for row in rows}) == 3
    assert main(["annotate", str(folder), "--report", str(tmp_path / "out.json")]) == 0
    report = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (report["visits"], report["pictures_with_faces"], report["bins"]) == (3, 3, [])


def test_oversampling_changes_the_answer_a_little(portrait: Path, tmp_path: Path) -> None:
    plain, oversampled = tmp_path / "plain.csv", tmp_path / "oversampled.csv"
    assert main(["annotate", str(portrait), "--predictions", str(plain)]) == 0
    assert main(["annotate", str(portrait), "--predictions", str(oversampled), "--oversample"]) == 0
    assert plain.read_bytes() != oversampled.read_bytes()


BAD = {
    "no such file": (["annotate", "nowhere.mp4", "--predictions", "{tmp}/o.csv"], "nowhere.mp4"),
    "text called mp4": (["annotate", "{tmp}/text.mp4", "--predictions", "{tmp}/o.csv"], "text.mp4"),
    "no camera": (["annotate", "97", "--predictions", "{tmp}/o.csv"], "97"),
    "empty folder": (["annotate", "{tmp}/empty", "--predictions", "{tmp}/o.csv"], "empty"),
    "no such model": (["annotate", "demo", "--model", "nothing", "--predictions", "{tmp}/o.csv"], "nothing"),
    "broken model": (
        ["annotate", "demo", "--model", "{tmp}/broken.toml", "--predictions", "{tmp}/o.csv"],
        "broken.toml",
    ),
    "nothing to write": (["annotate", "demo"], "nothing to write"),
    "no such folder": (["annotate", "demo", "--output", "{tmp}/no/o.mp4"], "does not exist"),
    "unknown table": (["annotate", "demo", "--predictions", "{tmp}/o.xls"], ".csv"),
    "unknown people": (["annotate", "demo", "--people", "{tmp}/o.html"], ".csv, .jsonl or .parquet"),
    "unknown report": (["annotate", "demo", "--report", "{tmp}/o.csv"], ".html or .json"),
    "one file for two": (["annotate", "demo", "--people", "{tmp}/o.csv", "--predictions", "{tmp}/o.csv"], "--people"),
    "unknown video": (["annotate", "demo", "--output", "{tmp}/o.avi"], ".mp4"),
    "many without a place": (["annotate", "{tmp}/text.mp4", "{tmp}/broken.mp4"], "--dataset"),
    "many into one table": (
        ["annotate", "{tmp}/text.mp4", "{tmp}/broken.mp4", "--predictions", "{tmp}/o.csv"],
        "--dataset",
    ),
    "a dataset of a camera": (["annotate", "0", "--dataset", "{tmp}/set", "--format", "csv"], "have an end"),
    "a pattern of nothing": (
        ["annotate", "{tmp}/*.jpg", "--dataset", "{tmp}/set", "--format", "csv"],
        "no file has such a name",
    ),
    "no processes": (["annotate", "{tmp}/text.mp4", "--dataset", "{tmp}/set", "--jobs", "0"], "--jobs"),
    "bad seconds": (["benchmark", "--seconds", "-3"], "--seconds"),
    "bad provider": (["annotate", "demo", "--provider", "tpu"], "tpu"),
    "bad line": (["annotate", "demo", "--line", "0.5,0,0.5", "--people", "{tmp}/o.csv"], "four numbers"),
    "line beside the picture": (["annotate", "demo", "--line", "0,0,2,1", "--people", "{tmp}/o.csv"], "0 to 1"),
    "lines for nothing": (
        ["annotate", "demo", "--line", "0,0,1,1", "--predictions", "{tmp}/o.csv"],
        "no file for them",
    ),
    "people on standard output": (["annotate", "demo", "--predictions", "-", "--people", "-"], ".parquet"),
    "no time": (["annotate", "demo", "--start", "1:99", "--people", "{tmp}/o.csv"], "1:02:03"),
    "no interval": (["annotate", "demo", "--every", "0", "--people", "{tmp}/o.csv"], "--every"),
    "a part that ends before it begins": (
        ["annotate", "demo", "--start", "2", "--end", "1", "--people", "{tmp}/o.csv"],
        "not after the start",
    ),
    "a part behind the end": (["annotate", "demo", "--start", "99:00", "--people", "{tmp}/o.csv"], "lasts 20.0 s"),
    "bad score": (["annotate", "demo", "--min-score", "nan", "--people", "{tmp}/o.csv"], "0 to 1"),
    "bad part of the drawing": (["annotate", "demo", "--hide", "ages,hats", "--people", "{tmp}/o.csv"], "'hats'"),
    "a list with what is no file": (["{tmp}/text.mp4", "demo"], "Cannot play “demo” in a list: it is no file."),
    "mistyped command": (["anotate", "x.mp4"], "Did you mean `agelens annotate`?"),
    "mistyped command alone": (["Camera"], "Did you mean `agelens cameras`?"),
    "mistyped option": (["annotate", "demo", "--predicions", "{tmp}/o.csv"], "did you mean --predictions?"),
    "quiet and verbose": (["models", "-q", "-v"], "-q/--quiet"),
    "bad privacy mode": (["annotate", "demo", "--privacy", "heads"], "heads"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_2(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "broken.toml").write_text("name = 3")
    (tmp_path / "empty").mkdir()
    arguments, says = BAD[name]
    before = sorted(tmp_path.iterdir())
    try:
        code = main([argument.format(tmp=tmp_path) for argument in arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("agelens")]
    assert code == 2
    assert len(lines) == 1
    assert says in lines[0]
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_file_is_not_touched(portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("my work")
    assert main(["annotate", str(portrait), "--predictions", str(table)]) == 2
    assert table.read_text() == "my work"
    assert "--overwrite" in capsys.readouterr().err
    assert main(["annotate", str(portrait), "--predictions", str(table), "--overwrite"]) == 0
    assert len(rows_of(table)) == 1


@pytest.mark.slow
def test_nothing_is_left_behind_that_identifies_this_machine(portrait: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "LOCALAPPDATA": str(home), "APPDATA": str(home)}
    command = [sys.executable, "main.py", "annotate", str(portrait), "--predictions", str(tmp_path / "out.csv")]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **places}, check=True, capture_output=True)
    left = {path.name for path in home.rglob("*") if path.is_file()}
    # ONNX Runtime's telemetry keeps a device id and a database of what it has not sent yet.
    assert not {name for name in left if "deviceid" in name or "onnxruntime" in name}


def test_models_lists_the_shipped_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert capsys.readouterr().out.startswith("agelens\t")


def test_cameras_ends_well_with_or_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras"]) == 0
    printed = capsys.readouterr()
    assert printed.out or "No camera" in printed.err
    assert main(["cameras", "--json"]) == 0
    for camera in json.loads(capsys.readouterr().out):
        assert {"index", "name", "backend"} <= set(camera)


def test_models_are_a_table_on_a_terminal_and_json_for_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "--json"]) == 0
    (model,) = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "agelens"]
    assert (len(model["ages"]), model["genders"], list(model["files"])) == (9, ["Male", "Female"], ["agelens.onnx"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["models"]) == 0
    head, line, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["name", "title", "size"]
    assert set(line) == {"─", " "}
    assert [row.split()[0] for row in rows] == ["agelens", "levi-hassner"]
    assert max(map(len, rows)) <= 100


def test_how_much_is_said(portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["annotate", str(portrait), "--overwrite", "--predictions", str(tmp_path / "faces.csv")]
    said = {}
    for level in ("-q", "", "-v"):
        assert main([*filter(None, [level]), *command]) == 0
        said[level] = capsys.readouterr().err
    assert said["-q"] == ""
    assert said[""].splitlines() == [f"agelens: wrote 1 picture, 1 face: {tmp_path / 'faces.csv'}"]
    assert "model agelens (agelens.onnx) runs on cpu" in said["-v"]
    assert "faces were looked for in 1 still picture\n" in said["-v"]
    assert main(["annotate", "nowhere.mp4", "-q", "--people", str(tmp_path / "people.csv")]) == 2
    assert "nowhere.mp4" in capsys.readouterr().err


def test_the_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "agelens annotate " in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_interrupting_keeps_what_was_written(tmp_path: Path) -> None:
    video, table = tmp_path / "out.mkv", tmp_path / "out.csv"
    process = subprocess.Popen(
        [sys.executable, "main.py", "annotate", "demo", "--output", str(video), "--predictions", str(table)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    wait_until(lambda: table.exists() and table.stat().st_size > 2000, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was written so far is kept" in errors
    assert "Traceback" not in errors
    with av.open(str(video)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames > 0
    assert int(rows_of(table)[-1]["frame"]) < frames


@pytest.mark.slow
def test_a_thread_that_cannot_be_ended_does_not_break_the_end() -> None:
    # The network's runs stand for a camera driver that never returns: native code that meets Python's end.
    program = """
import sys, threading
import numpy as np, onnxruntime
from desktop_app import cli

session = onnxruntime.InferenceSession("models/agelens.onnx", providers=["CPUExecutionProvider"])
one = session.get_inputs()[0]
pixels = np.zeros([size if isinstance(size, int) else 1 for size in one.shape], np.float32)
running = threading.Event()

def work():
    while True:
        session.run(None, {one.name: pixels})
        running.set()

threading.Thread(target=work, daemon=True).start()
running.wait()
sys.argv = ["agelens", "models"]
cli.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("agelens\t")
    assert "terminate" not in done.stderr


@pytest.mark.slow
def test_annotate_hides_what_it_is_asked_to_and_does_without_gender(portrait: Path, tmp_path: Path) -> None:
    def colours(name: str, *options: str) -> int:
        path = tmp_path / name
        assert main(["annotate", str(portrait), "--output", str(path), "--no-gender", *options]) == 0
        # The lower part of the picture: a suit with badges, below all labels.
        picture = np.asarray(cv2.imread(str(path)), np.uint8)[400:]
        return len(np.unique(picture.reshape(-1, 3), axis=0))

    plain = colours("plain.png")
    assert colours("picture.png", "--privacy", "picture", "--privacy-style", "pixelate") <= 16 < plain / 10
    assert colours("faces.png", "--privacy", "faces") > plain / 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends programs there")
@pytest.mark.parametrize("end", ["the reader ends", "a signal"])
def test_predictions_come_as_they_are_made(tmp_path: Path, end: str) -> None:
    people = tmp_path / "people.csv"
    command = [sys.executable, str(ROOT / "main.py"), "annotate", "demo", "--predictions", "-", "--people", str(people)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["frame"] == 0
        if end == "a signal":
            process.send_signal(signal.SIGTERM)
            rows = [json.loads(line) for line in process.stdout]
            assert rows[-1]["frame"] > 0
        else:
            process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == (130 if end == "a signal" else 0), said
    assert people.read_text(encoding="utf-8").startswith("track,")
