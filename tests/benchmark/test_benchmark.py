from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest

from desktop_app.benchmark.archive import ArchiveSize, measure_archive
from desktop_app.benchmark.benchmark import (
    BenchmarkError,
    BenchmarkReport,
    BenchmarkRequest,
    expected_seconds,
    run_benchmark,
)
from desktop_app.benchmark.clip import CrowdScene, write_crowd_clip
from desktop_app.benchmark.recall import RecallPoint, Scene, measure_recall, smallest_found
from desktop_app.benchmark.recall_scenes import most_turned, read_portraits
from desktop_app.benchmark.timing import PATIENCE_S, FirstLabels, FrameTimes
from desktop_app.catalogue.catalogue import AgeLabel, Labels, ModelChoice
from desktop_app.cli import main
from desktop_app.engine.archive.archive import cores
from desktop_app.engine.types import RenderedFrame
from desktop_app.errors import AgelensError
from desktop_app.paths import resource_path
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import SourceInfo
from desktop_app.sources.pictures.stills import load_image
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, make_label
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

PICTURE = np.zeros((4, 4, 3), np.uint8)
PREDICTION = Prediction(np.ones(1, np.float32), np.ones(1, np.float32))
LABEL = make_label(PREDICTION, Labels((AgeLabel("20-29", 20, 29),), ("Female",)))


def make_track(track_id: int, *, missed: int = 0) -> Track:
    detection = Detection(Box(0, 0, 2, 2), 0.9, Landmarks(*[Point(1, 1)] * 6))
    return Track(track_id, detection, 0.0, 0.0, 5, missed)


def make_rendered(
    index: int,
    captured_at: float,
    taken_at: float,
    *,
    tracks: Sequence[Track] = (),
    labels: Mapping[int, Label] = MappingProxyType({}),
) -> RenderedFrame:
    frame = Frame(PICTURE, index, captured_at)
    return RenderedFrame(PICTURE, frame, tuple(tracks), labels, {}, taken_at=taken_at, rendered_at=taken_at)


def make_info(*, live: bool) -> SourceInfo:
    return SourceInfo("camera" if live else "file", "x", "x", 4, 4, 10.0, None if live else 3, live=live)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crowd_clip(tmp_path_factory.mktemp("clips") / "two.mkv", faces=2, frames=12, width=640, height=360)


@pytest.mark.parametrize(
    ("faces", "width", "height"), [(1, 1280, 720), (5, 854, 480), (10, 1280, 720), (20, 1280, 720)]
)
def test_every_face_of_the_crowd_is_found(faces: int, width: int, height: int) -> None:
    scene = CrowdScene(faces, width=width, height=height)
    with BlazeFaceDetector("full") as detector:
        found = [len(detector.detect(scene.render(index))) for index in (0, 30, 60)]
    assert np.median(found) == faces


def test_most_of_thirty_faces_are_found() -> None:
    scene = CrowdScene(30)
    with BlazeFaceDetector("full") as detector:
        assert np.median([len(detector.detect(scene.render(index))) for index in (0, 20, 40, 60, 80)]) >= 26


def test_the_crowd_moves_and_is_the_same_each_time() -> None:
    first, again = CrowdScene(3, width=320, height=180), CrowdScene(3, width=320, height=180)
    np.testing.assert_array_equal(first.render(7), again.render(7))
    assert not np.array_equal(first.render(7), first.render(17))


def test_the_clip_has_its_frames_at_its_rate(clip: Path) -> None:
    with av.open(str(clip)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 30 for index in range(12)], abs=0.002)


def test_a_files_frames_age_from_when_they_are_due() -> None:
    times = FrameTimes(make_info(live=False))
    # The clock starts at 100; the third frame left the source 0.2 s late. Then the file starts again.
    for index, taken_at, painted_at in [(0, 100.0, 100.5), (1, 100.1, 100.11), (2, 100.4, 100.41)]:
        times.add(make_rendered(index, index / 10, taken_at), painted_at)
    times.add(make_rendered(0, 0.0, 100.5), 100.51)
    found = times.latency_ms()
    assert found is not None
    assert found.p50 == pytest.approx(10)
    assert found.p99 == pytest.approx(np.percentile([10, 210, 10], 99))


def test_a_cameras_frames_age_from_their_capture() -> None:
    times = FrameTimes(make_info(live=True))
    for index in range(3):
        times.add(make_rendered(index, 50.0 + index, 50.3 + index), 50.4 + index)
    found = times.latency_ms()
    assert found is not None
    assert found.p50 == pytest.approx(400)


def test_a_frame_that_is_drawn_again_counts_once_and_nothing_has_no_latency() -> None:
    times = FrameTimes(make_info(live=False))
    assert times.latency_ms() is None
    rendered = make_rendered(0, 0.0, 10.0)
    times.add(rendered, 10.0)
    times.add(rendered, 19.0)
    assert times.latency_ms() is None


def test_the_wait_for_a_label_is_from_the_first_frame_of_the_face() -> None:
    labels = FirstLabels(known=[make_track(1)])
    both = [make_track(1), make_track(2), make_track(3)]
    labels.add(make_rendered(0, 0.0, 10.0, tracks=both), 10.01)
    labels.add(make_rendered(1, 0.1, 10.1, tracks=both, labels={2: LABEL}), 10.12)
    labels.add(make_rendered(2, 0.2, 10.2, tracks=both, labels={2: LABEL}), 10.0 + 2 * PATIENCE_S)
    found = labels.delays_ms()
    assert found is not None
    assert found.p50 == pytest.approx(120)
    assert (labels.appeared, labels.unlabelled) == (2, 1)


def test_a_face_that_is_gone_is_not_unlabelled() -> None:
    labels = FirstLabels()
    labels.add(make_rendered(0, 0.0, 10.0, tracks=[make_track(1)]), 10.0)
    labels.add(make_rendered(9, 0.9, 10.9, tracks=[make_track(1, missed=9)]), 10.9)
    assert (labels.appeared, labels.unlabelled) == (1, 0)
    assert labels.delays_ms() is None


@pytest.mark.slow
def test_large_faces_are_found_and_tiny_ones_are_not() -> None:
    def measure(*scenes: Scene, size: int = 120) -> list[RecallPoint]:
        return measure_recall(sizes=(size,), scenes=scenes, uses=("still",), places=1)

    points = measure("alone", "crowd", "half cut")
    assert [(point.scene, point.recall, point.false_faces) for point in points] == [
        ("alone", 1, 0),
        ("crowd", 1, 0),
        ("half cut", 1, 0),
    ]
    assert [point.places for point in points] == [1, pytest.approx(10, abs=2), 1]
    assert points[1:2] == measure("crowd")
    odd = measure("mask, crowd", "sunglasses, crowd", "upside down, crowd")
    assert all(point.places > 5 and point.recall >= 0.9 for point in odd)
    assert [point.recall for point in measure("alone", size=6)] == [0]


@pytest.mark.slow
def test_live_recall_is_what_is_seen_after_a_second() -> None:
    points = measure_recall(sizes=(120,), scenes=("alone", "empty"), uses=("live",), places=1)
    assert [(point.scene, point.places, point.recall) for point in points] == [("alone", 1, 1), ("empty", 0, 1)]


def test_faces_for_recall_come_from_a_folder_or_a_zip_file(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    data = cv2.imencode(".png", load_image(resource_path("demo_portrait.jpg"))[60:190, 160:290])[1].tobytes()
    (tmp_path / "faces" / "one.png").write_bytes(data)
    (tmp_path / "faces" / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("one.png", data)
    found = [
        measure_recall(sizes=(150,), scenes=("alone",), uses=("still",), places=1, faces=tmp_path / name)[0].recall
        for name in ("faces", "faces.zip")
    ]
    assert found == [1, 1]
    (tmp_path / "faces" / "one.png").unlink()
    with pytest.raises(BenchmarkError, match="contains no picture"):
        measure_recall(faces=tmp_path / "faces")
    with pytest.raises(BenchmarkError, match="not a folder or a zip file"):
        measure_recall(faces=tmp_path / "faces" / "notes.txt")


def test_profiles_are_the_faces_whose_noses_are_nearest_to_one_eye(tmp_path: Path) -> None:
    face = load_image(resource_path("demo_portrait.jpg"))[60:190, 160:290]
    # A head that is turned is narrower on one side.
    columns = np.interp(np.linspace(0, 1, 130), [0, 0.7, 1], [0, 65, 129]).astype(np.float32)
    grid = np.meshgrid(columns, np.arange(130, dtype=np.float32))
    turned = cv2.remap(face, *grid, cv2.INTER_LINEAR)
    for number, image in enumerate([face, turned, face[:, ::-1]]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    portraits = read_portraits(tmp_path, 3)
    (one,) = most_turned(portraits)
    assert one is portraits[1]
    points = measure_recall(sizes=(90,), scenes=("profile",), uses=("still",), places=1, faces=tmp_path)
    assert [(point.places, point.recall) for point in points] == [(1, 1)]
    # The app's portrait looks ahead.
    assert measure_recall(scenes=("profile",)) == []


def test_the_smallest_size_is_where_no_larger_one_fails() -> None:
    recalls = {40: 1.0, 60: 0.5, 80: 0.95, 100: 1.0}
    points = [RecallPoint("auto", size, 20, recall, 0.0) for size, recall in recalls.items()]
    assert smallest_found(points) == 80
    assert smallest_found(points[:2]) is None


@pytest.mark.slow
def test_the_json_has_its_keys_and_counts(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", str(clip), "--seconds", "0.4", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == [
        *("schema", "machine", "source", "model", "provider", "offline", "live"),
        *("by_faces", "by_size", "compare", "recall", "archive", "notices"),
    ]
    offline, live = report["offline"], report["live"]
    assert (offline["frames"], offline["rounds"], offline["faces"]) == (12, 3, 2)
    assert set(offline["stage_ms"]) == {"read", "detect", "track", "crop", "classify", "draw"}
    assert offline["fps"] == pytest.approx(1000 / offline["ms_per_frame"])
    # Both faces in the first frame at least, and each a few times at the most.
    assert 2 <= offline["crops_per_frame"] * offline["frames"] <= 12
    assert live["source_fps"] == 30
    assert live["new_faces"] >= 2
    assert set(live["latency_ms"]) == {"p50", "p95", "p99"}
    assert live["memory_peak_mb"] >= live["memory_last_tenth_mb"] > 10
    ratio = live["memory_last_tenth_mb"] / live["memory_first_tenth_mb"]
    assert live["memory_growth"] == pytest.approx(ratio - 1)
    assert min(live[name] for name in ("displayed", "dropped", "unpainted", "dropped_crops")) >= 0


@pytest.fixture(scope="module")
def full_report(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchmarkReport, Path]:
    plot = tmp_path_factory.mktemp("plots") / "plot.svg"
    told: list[str] = []
    request = BenchmarkRequest(
        source=str(clip),
        seconds=0.2,
        faces=True,
        compare=True,
        plot=plot,
        warm_up_s=0.1,
        face_counts=(3,),
        frame_sizes=((640, 360),),
        compared_faces=(1,),
    )
    report = run_benchmark(request, tell=told.append)
    assert len(told) == 6
    return report, plot


@pytest.mark.slow
def test_the_curves_have_their_points(full_report: tuple[BenchmarkReport, Path]) -> None:
    report, _ = full_report
    assert [(point.faces, point.offline.faces) for point in report.by_faces] == [(3, 3)]
    assert [(point.width, point.height, point.offline.frames) for point in report.by_size] == [(640, 360, 6)]
    (one,) = report.compare
    assert (one.faces, one.frames, one.usual_frames, one.usual_faces) == (1, 6, 2, 1)
    assert one.ratio > 0
    assert one.usual_runtime in {"OpenCV", "ONNX Runtime"}


@pytest.mark.slow
def test_the_tables_hold_every_part(full_report: tuple[BenchmarkReport, Path]) -> None:
    text = full_report[0].as_text()
    for part in ("Offline", "Live", "by stage", "against faces", "against frame size", "usual way", "640×360"):
        assert part in text


@pytest.mark.slow
def test_the_plot_has_both_lines(full_report: tuple[BenchmarkReport, Path]) -> None:
    root = ElementTree.fromstring(full_report[1].read_text(encoding="utf-8"))
    colours = {one.get("stroke") for one in root.iter("{http://www.w3.org/2000/svg}g")}
    assert {"#0072b2", "#d55e00"} <= colours
    texts = {(one.text or "").strip() for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Agelens", "usual way", "Cost against faces (720p)"} <= texts
    assert "nan" not in full_report[1].read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_plot_as_png_has_a_panel_for_each_curve(tmp_path: Path, full_report: tuple[BenchmarkReport, Path]) -> None:
    from desktop_app.benchmark.plot import plot_report

    plot_report(full_report[0], tmp_path / "Größe.png")
    image = cv2.imdecode(np.fromfile(tmp_path / "Größe.png", np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (720, 2 * 920, 3)
    assert (image.reshape(-1, 3) == (0xB2, 0x72, 0x00)).all(axis=1).any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.mp4"], "nowhere.mp4"),
        (["demo", "--plot", "{tmp}/plot.pdf"], ".svg or .png"),
        (["demo", "--plot", "{tmp}/none/plot.svg"], "does not exist"),
        (["demo", "--plot", "{tmp}/mine.svg"], "--overwrite"),
        (["demo", "--model", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.svg").write_text("my work")
    assert main(["benchmark", *(one.format(tmp=tmp_path) for one in arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    errors = [line for line in printed.err.splitlines() if line.startswith("agelens: ")]
    assert len(errors) == 1
    assert says in errors[0]
    assert (tmp_path / "mine.svg").read_text() == "my work"


@pytest.mark.slow
def test_an_archive_is_gone_through_in_every_way(tmp_path: Path) -> None:
    size = ArchiveSize(pictures=6, films=2, film_frames=4, turns=1)
    request = BenchmarkRequest(seconds=0.2, warm_up_s=0.1, archive=size)
    report = run_benchmark(request)
    figures = report.archive
    assert figures is not None
    assert (figures.pictures, figures.frames) == (6, 8)
    assert figures.faces == pytest.approx(2)
    assert [way.jobs for way in figures.ways][:2] == [1, max(cores(), 2)]
    assert all(way.pictures_per_s > 0 and way.core_ms_per_picture > 0 for way in figures.ways)
    assert json.loads(report.as_json())["archive"]["ways"][0]["jobs"] == 1
    lines = report.as_text().splitlines()
    assert any("the usual way" in line for line in lines)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AgelensError, match="no picture"):
        measure_archive(tmp_path, ModelChoice(), pictures=tmp_path / "empty", size=size, tell=print)


def test_what_is_added_takes_longer() -> None:
    plain = expected_seconds(BenchmarkRequest(seconds=2))
    assert 4 < plain < 20
    longer = [
        BenchmarkRequest(seconds=10),
        BenchmarkRequest(seconds=2, faces=True),
        BenchmarkRequest(seconds=2, compare=True),
        BenchmarkRequest(seconds=2, recall=True),
        BenchmarkRequest(seconds=2, archive=ArchiveSize()),
    ]
    assert all(expected_seconds(request) > plain + 5 for request in longer)
    plotted = BenchmarkRequest(seconds=2, plot=Path("plot.svg"))
    assert expected_seconds(plotted) == expected_seconds(BenchmarkRequest(seconds=2, faces=True))
