from __future__ import annotations

import csv
import gc
import json
import os
import socket
import sys
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from desktop_app.benchmark.clip import CrowdScene, write_crowd_clip
from desktop_app.catalogue.catalogue import Catalogue, ModelChoice
from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.engine.session import RenderedFrame, Session, SessionSettings
from desktop_app.sources.opening import join_files, open_source
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.drawing.overlay import OverlayStyle
from tests.helpers.films import write_plain_film
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.sessions import Bell, engine_threads, running
from tests.helpers.tiny_model import MakeModel, fail_from_four_faces, one_row_alone
from tests.helpers.walks import write_walk


def labelled(session: Session) -> bool:
    latest = session.latest()
    return latest is not None and len(latest.labels) > 0


def shows_entry(session: Session, entry: int, name: str) -> bool:
    info = session.status().info
    return info is not None and info.name == name and latest_of(session).frame.entry == entry


def latest_of(session: Session) -> RenderedFrame:
    latest = session.latest()
    assert latest is not None
    return latest


@pytest.mark.slow
def test_all_faces_of_a_still_are_labelled_as_offline(tmp_path: Path) -> None:
    still = tmp_path / "twelve.png"
    cv2.imwrite(str(still), CrowdScene(12).render(0))
    with running(SessionSettings(source=str(still))) as (session, bell):
        bell.wait_until(lambda: labelled(session) and len(latest_of(session).labels) == 12)
        live = latest_of(session)
    with open_source(str(still)) as source, FaceDetector() as detector:
        (offline,) = OfflineAnalysis(Classifier(Catalogue().find("")), detector).run(source)
    assert len(live.tracks) == len(offline.labels) == 12
    for track_id, label in offline.labels.items():
        same = live.labels[track_id]
        assert (same.age, same.gender, same.unsure) == (label.age, label.gender, label.unsure)
        assert same.prediction.age == pytest.approx(label.prediction.age, abs=1e-4)
        assert same.samples == label.samples == 2


def test_all_faces_of_a_paused_film_are_labelled(tmp_path: Path) -> None:
    clip = write_crowd_clip(tmp_path / "twelve.mkv", faces=12, frames=3)
    with running(SessionSettings(source=str(clip), loop=False)) as (session, bell):
        session.pause()
        bell.wait_until(lambda: session.status().model != "")
        session.seek(1)
        bell.wait_until(lambda: labelled(session) and len(latest_of(session).labels) == 12)
        assert latest_of(session).frame.index == 1
        assert len(latest_of(session).tracks) == 12


def test_the_demo_runs_and_every_part_is_alive() -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        status, latest = session.status(), session.latest()
        assert status.state == "live"
        assert status.model == "agelens"
        assert status.provider
        assert latest is not None
        assert latest.picture.shape == latest.frame.image.shape
        for track_id, label in latest.labels.items():
            assert track_id in {track.id for track in latest.tracks}
            assert 0 < label.age_confidence <= 1
        assert all(crop.shape == (227, 227, 3) for crop in latest.crops.values())
        session.painted(latest.rendered_at, 0.002)
        statistics = session.statistics()
        assert set(statistics.stage_ms) >= {"read", "detect", "track", "draw"}
        assert statistics.faces == sum(track.missed == 0 for track in latest_of(session).tracks)
    assert session.status().state == "stopped"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness is the whole program's")
def test_the_threads_that_no_frame_waits_for_yield_to_those_that_it_goes_through() -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        nice = {
            thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id)
            for thread in threading.enumerate()
            if thread.native_id is not None
        }
    assert nice["MainThread"] == nice["capture"] == nice["near faces_0"] < nice["inference"] == nice["far faces_0"]


@pytest.mark.slow
def test_a_slow_classifier_is_asked_about_no_more_than_it_takes(tmp_path: Path) -> None:
    clip = write_crowd_clip(tmp_path / "four.mkv", faces=4, frames=60, width=640, height=360)
    settings = SessionSettings(source=str(clip), choice=ModelChoice(oversample=True))
    with running(settings) as (session, bell):
        bell.wait_until(
            lambda: labelled(session) and min(one.samples for one in latest_of(session).labels.values()) > 1
        )
        assert session.statistics().dropped_crops == 0


@pytest.mark.slow
def test_a_recording_goes_on_from_film_to_film_and_each_begins_with_new_faces(tmp_path: Path) -> None:
    portrait = tmp_path / "portrait.png"
    cv2.imwrite(str(portrait), cv2.resize(astronaut_bgr(), (256, 256)))
    film = write_plain_film(tmp_path / "plain.mp4", frames=5, width=96, height=128)
    paths, recorded = [portrait, film, portrait], tmp_path / "all.mp4"
    entries: list[int] = []
    with running(SessionSettings(source=join_files(paths), paused=True)) as (session, bell):
        bell.wait_until(lambda: session.status().state == "paused" and labelled(session))
        session.start_recording(recorded, predictions=recorded.with_suffix(".csv"))
        bell.wait_until(lambda: session.recording().frames)
        for entry in (1, 2):
            session.choose_entry(entry)
            bell.wait_until(partial(shows_entry, session, entry, paths[entry].name))
            status, picture = session.status(), latest_of(session).picture
            assert status.info is not None
            assert status.info.height == picture.shape[0]
            entries.append(len(latest_of(session).tracks))
        bell.wait_until(lambda: labelled(session))
        ids = {track.id for track in latest_of(session).tracks}
        bell.wait_until(lambda: session.recording().frames > 3)
        session.stop_recording()
        bell.wait_until(lambda: session.recording().state == "idle")
        count = session.audience.count()
    assert entries == [0, 1]
    with recorded.with_suffix(".csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {"portrait.png"}
    assert {row["track"] for row in rows} == {"1", *map(str, ids)}
    assert len(ids) == 1
    assert count is not None
    assert [visit.file for visit in count.visits] == ["portrait.png"] * 2
    facts = json.loads(recorded.with_suffix(".csv.meta.json").read_text(encoding="utf-8"))
    assert facts["source"]["name"] == "portrait.png, plain.mp4, portrait.png"
    with av.open(str(recorded)) as container:
        assert {(frame.width, frame.height) for frame in container.decode(video=0)} == {(256, 256)}


@pytest.mark.slow
def test_faces_are_hidden_from_the_first_picture_of_each_file_on(tmp_path: Path) -> None:
    film = write_walk(tmp_path / "walk.mp4", [(0.4, 0.5), (0.5, 0.5)], leg_s=0.2)
    settings = SessionSettings(source=join_files([film, film]), paused=True, style=OverlayStyle(privacy="faces"))
    with running(settings) as (session, bell):
        for entry in (0, 1):
            session.choose_entry(entry)
            bell.wait_until(lambda: session.latest() is not None)
            bell.wait_until(partial(shows_entry, session, entry, film.name))
            shown = latest_of(session)
            assert (shown.picture != shown.frame.image).any()


def test_a_source_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    with running(SessionSettings(source=str(tmp_path / "nothing.mp4"))) as (session, bell):
        bell.wait_until(lambda: session.status().state == "failed")
        assert "nothing.mp4" in str(session.status().message)


def test_a_model_that_cannot_be_used_is_said_and_the_default_runs() -> None:
    with running(SessionSettings(source="demo", choice=ModelChoice("no-such-model"))) as (session, bell):
        bell.wait_until(lambda: session.status().model == "agelens")
        assert "no-such-model" in str(session.status().notice)
        bell.wait_until(lambda: labelled(session))


def test_the_model_that_runs_instead_is_never_told_without_the_reason() -> None:
    told: list[str] = []

    def note() -> None:
        status = session.status()
        if status.model:
            told.append(str(status.notice or ""))

    session = Session(SessionSettings(source="demo", choice=ModelChoice("no-such-model")), on_status=note)
    session.start()
    try:
        Bell().wait_until(lambda: told)
    finally:
        session.stop()
    assert "no-such-model" in told[0]


def test_a_change_of_model_that_fails_keeps_the_one_in_use() -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: session.status().model)
        session.set_model(ModelChoice("no-such-model"))
        bell.wait_until(lambda: session.status().notice)
        assert session.status().model == "agelens"
        bell.wait_until(session.latest)
        session.set_model(ModelChoice(oversample=True))
        bell.wait_until(lambda: any(crop.shape[0] == 256 for crop in latest_of(session).crops.values()))


def test_a_network_that_fails_later_is_told_and_labels_do_not_freeze(make_model: MakeModel, tmp_path: Path) -> None:
    portrait = astronaut_bgr()
    cv2.imwrite(str(tmp_path / "four.png"), np.block([[[portrait], [portrait]], [[portrait], [portrait]]]))
    choice = ModelChoice(str(make_model(network_change=fail_from_four_faces)), "cpu")
    with running(SessionSettings(source=str(tmp_path / "four.png"), choice=choice)) as (
        session,
        bell,
    ):
        bell.wait_until(lambda: "Cannot classify faces" in str(session.status().notice))
        assert session.status().model == "tiny"
        bell.wait_until(session.latest)
        assert not latest_of(session).labels
        session.set_model(ModelChoice(provider="cpu"))
        bell.wait_until(lambda: len(latest_of(session).labels) == 4)
        assert session.status().notice is None


def test_what_is_said_of_the_source_is_not_lost_with_what_is_said_of_the_model(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), astronaut_bgr())
    (tmp_path / "b.png").write_bytes(b"no picture")
    with running(SessionSettings(source=str(tmp_path))) as (session, bell):
        bell.wait_until(lambda: str(session.status().notice) == "Skipped 1 unreadable picture: b.png")
        session.set_model(ModelChoice("no-such-model"))
        bell.wait_until(lambda: "no-such-model" in str(session.status().notice))
        assert str(session.status().notice).endswith("\nSkipped 1 unreadable picture: b.png")


@pytest.mark.slow
def test_a_model_that_runs_one_face_alone_is_refused_when_it_is_chosen(make_model: MakeModel) -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        session.set_model(ModelChoice(str(make_model(network_change=one_row_alone)), "cpu"))
        bell.wait_until(lambda: "does not run on 2 faces" in str(session.status().notice))
        assert session.status().model == "agelens"
        bell.wait_until(lambda: labelled(session))


def test_a_still_picture_is_labelled_by_every_model_that_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), astronaut_bgr())
    with running(SessionSettings(source=str(path))) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        before = latest_of(session).labels
        session.set_model(ModelChoice(oversample=True))
        bell.wait_until(lambda: any(crop.shape[0] == 256 for crop in latest_of(session).crops.values()))
        bell.wait_until(lambda: labelled(session) and latest_of(session).labels != before)


def test_a_still_picture_is_searched_again_by_another_detector(tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), astronaut_bgr())
    with running(SessionSettings(source=str(path))) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        session.set_detector("auto", 0.999)
        bell.wait_until(lambda: not latest_of(session).tracks)
        session.set_detector("short", 0.5)
        bell.wait_until(lambda: labelled(session))
        assert len(latest_of(session).tracks) == 1
        assert session.status().state == "ended"


@pytest.mark.slow
def test_what_is_shown_is_what_is_recorded(tmp_path: Path) -> None:
    video, table = tmp_path / "demo.mp4", tmp_path / "demo.csv"
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        session.set_mirror(True)
        session.start_recording(video, predictions=table)
        bell.wait_until(lambda: session.recording().frames >= 10)
        session.pause_recording(True)
        assert session.recording().state == "paused"
        session.pause_recording(False)
        bell.wait_until(lambda: session.recording().frames >= 15)
        session.stop_recording()
        bell.wait_until(lambda: session.recording().state == "idle")
        written = session.recording()
    assert session.recording().state == "idle"
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == written.frames
    assert len(table.read_text(encoding="utf-8").splitlines()) > 1
    facts = json.loads((tmp_path / "demo.csv.meta.json").read_text(encoding="utf-8"))
    assert (facts["run"]["frames"], facts["run"]["complete"]) == (written.frames, True)
    assert (facts["model"]["name"], facts["source"]["name"], facts["options"]["mirror"]) == ("agelens", "Demo", True)


def test_stopping_the_session_finishes_the_recording(tmp_path: Path) -> None:
    video = tmp_path / "demo.mkv"
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: session.latest())
        session.start_recording(video)
        bell.wait_until(lambda: session.recording().frames >= 3)
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == session.recording().frames


def test_a_recording_that_cannot_be_written_is_said_and_the_picture_goes_on(tmp_path: Path) -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: session.latest())
        session.start_recording(tmp_path / "no such folder" / "demo.mp4")
        bell.wait_until(lambda: session.recording().state == "failed")
        assert session.recording().message
        before = session.latest()
        bell.wait_until(lambda: session.latest() is not before)
        assert session.status().state == "live"


def test_a_paused_picture_follows_style_and_mirror() -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        session.pause()
        bell.wait_until(lambda: session.status().state == "paused")
        session.set_style(OverlayStyle(boxes=False, names=False, ages=False, genders=False, confidences=False))
        bell.wait_until(lambda: np.array_equal(latest_of(session).annotated(), latest_of(session).frame.image))
        session.set_mirror(True)
        bell.wait_until(lambda: np.array_equal(latest_of(session).annotated(), latest_of(session).frame.image[:, ::-1]))


def test_seek_and_step() -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: session.latest())
        session.pause()
        session.seek(100)
        bell.wait_until(lambda: session.position().index == 100)
        session.step()
        bell.wait_until(lambda: session.position().index == 101)
        assert session.position().paused
        session.play()
        bell.wait_until(lambda: session.position().index > 102 and session.status().state == "live")


@pytest.mark.slow
def test_without_a_loop_the_source_ends_and_can_be_played_again(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for level in range(2):
            picture = np.full((120, 160, 3), level * 40, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    with running(SessionSettings(source=str(path), loop=False)) as (session, bell):
        bell.wait_until(lambda: session.status().state == "ended")
        assert session.position().index == 1
        session.play()
        bell.wait_until(lambda: session.position().index == 0)
        bell.wait_until(lambda: session.status().state == "ended")


def test_buttons_do_not_make_a_source_live_that_is_not_open_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with running(SessionSettings(source=address)) as (session, bell):
            bell.wait_until(lambda: session.status().state == "connecting")
            for press in (session.play, session.pause, session.step, session.play):
                press()
                assert session.status().state == "connecting"


def test_buttons_at_the_end_leave_it_the_end(tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), astronaut_bgr())
    with running(SessionSettings(source=str(path), loop=False)) as (session, bell):
        bell.wait_until(lambda: session.status().state == "ended")
        session.step()
        session.pause()
        assert session.status().state == "ended"
        session.play()
        bell.wait_until(lambda: session.status().state == "ended")


def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(session.latest)
    session.start_recording(tmp_path / "late.mp4")
    assert session.recording().state == "idle"
    assert not engine_threads()


@pytest.mark.slow
def test_the_next_recording_can_start_as_soon_as_the_last_is_told_to_be_done(tmp_path: Path) -> None:
    started: list[str] = []

    def start_next() -> None:
        if session.recording().state == "idle" and session.recording().path == tmp_path / "first.mp4":
            session.start_recording(tmp_path / "second.mp4")
            started.append(session.recording().state)

    session = Session(SessionSettings(source="demo"), on_status=start_next)
    session.start()
    bell = Bell()
    try:
        bell.wait_until(session.latest)
        session.start_recording(tmp_path / "first.mp4")
        bell.wait_until(lambda: session.recording().frames)
        session.stop_recording()
        bell.wait_until(lambda: started)
    finally:
        session.stop()
    assert started == ["recording"]


@pytest.mark.slow
def test_gender_goes_at_once_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), astronaut_bgr())
    with running(SessionSettings(source=str(path))) as (session, bell):
        bell.wait_until(lambda: labelled(session))
        assert all(label.gender for label in latest_of(session).labels.values())
        session.set_model(ModelChoice(gender=False))
        bell.wait_until(lambda: all(not label.gender for label in latest_of(session).labels.values()))
        bell.wait_until(lambda: labelled(session))
        for label in latest_of(session).labels.values():
            assert (label.gender, label.gender_confidence, len(label.prediction.gender)) == ("", 0.0, 0)
        session.set_model(ModelChoice(gender=True))
        bell.wait_until(lambda: any(label.gender for label in latest_of(session).labels.values()))


@pytest.fixture
def without_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def write_film(path: Path, frames: int = 20) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for level in range(frames):
            picture = np.full((120, 160, 3), level * 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def run_once(source: str, bell: Bell) -> list[weakref.ref[Any]]:
    """Show a source until there is a labelled picture or none can come; what must be gone afterwards."""
    session = Session(SessionSettings(source=source), on_picture=bell.ring, on_status=bell.ring)
    session.start()
    bell.wait_until(lambda: session.status().state == "failed" or (session.latest() and session.status().model))
    latest = session.latest()
    session.stop()
    assert session.latest() is None
    return [weakref.ref(session), *([weakref.ref(latest.picture)] if latest is not None else [])]


@pytest.mark.parametrize("kind", ["film", "picture", "demo", "missing"])
def test_a_stopped_session_is_let_go_without_a_garbage_collection(
    tmp_path: Path, without_collection: None, kind: str
) -> None:
    film, picture = tmp_path / "film.mp4", tmp_path / "portrait.png"
    write_film(film)
    cv2.imwrite(str(picture), astronaut_bgr())
    source = {"film": str(film), "picture": str(picture), "demo": "demo", "missing": str(tmp_path / "no.mp4")}[kind]
    bell = Bell()
    parts = run_once(source, bell)
    bell.wait_until(lambda: not engine_threads())
    bell.wait_until(lambda: not [part for part in parts if part() is not None])
    # Open files and what decodes them are held by no Python object that could be looked at: the system knows them.
    if Path("/proc/self/fd").is_dir():
        assert not [one for one in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(one)]


def test_threads_that_cannot_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    session = Session(SessionSettings(source="demo"))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    session.start()
    assert session.status().state == "failed"
    assert "can't start new thread" in str(session.status().message)
    session.stop()
    assert session.status().state == "stopped"
