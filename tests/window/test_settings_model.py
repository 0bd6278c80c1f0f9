"""Settings in use: who is told of a change, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.settings import Settings, SettingsError, SettingsStore
from desktop_app.window.background import Background
from desktop_app.window.dialogs.preferences import PreferencesDialog
from desktop_app.window.settings_model import SettingsModel
from tests.helpers.desk import Desk


@pytest.fixture
def background(qtbot: QtBot) -> Iterator[Background]:
    made = Background("files")
    yield made
    made.close()


@pytest.fixture
def model(background: Background, tmp_path: Path) -> SettingsModel:
    return SettingsModel(Settings(), SettingsStore(tmp_path / "settings.json"), background)


class CountingStore(SettingsStore):
    """Counts how often something is to be kept."""

    saves = 0

    def save(self, settings: Settings) -> None:
        """Count and keep."""
        self.saves += 1
        super().save(settings)


def different(one: Settings, other: Settings) -> set[str]:
    return {field.name for field in fields(Settings) if getattr(one, field.name) != getattr(other, field.name)}


def test_a_change_is_told_with_what_was_before_and_no_change_is_not_told(model: SettingsModel) -> None:
    told: list[tuple[Settings, Settings]] = []
    model.changed.connect(lambda before: told.append((before, model.value)))
    assert model.change(mirror=True, burst_count=7)
    assert not model.change(mirror=True)
    ((before, after),) = told
    assert different(before, after) == {"mirror", "burst_count"}


def test_a_change_is_kept_by_itself(qtbot: QtBot, model: SettingsModel, tmp_path: Path) -> None:
    model.change(theme="dark")
    qtbot.waitUntil((tmp_path / "settings.json").exists, timeout=10_000)
    assert SettingsStore(tmp_path / "settings.json").load().theme == "dark"


def test_settings_that_cannot_be_kept_are_told_of_once(qtbot: QtBot, background: Background, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = CountingStore(tmp_path / "file" / "settings.json")
    model = SettingsModel(Settings(), store, background)
    told: list[str] = []
    model.failed.connect(told.append)
    model.change(mirror=True)
    qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    model.change(mirror=False)
    qtbot.waitUntil(lambda: store.saves == 2, timeout=10_000)
    done: list[bool] = []
    background.submit(lambda: None, lambda _: done.append(True))
    qtbot.waitUntil(lambda: bool(done), timeout=10_000)
    assert len(told) == 1
    with pytest.raises(SettingsError):
        model.close()


def test_each_preference_changes_its_own_field_and_no_other(qtbot: QtBot, model: SettingsModel) -> None:
    dialog = PreferencesDialog(model)
    qtbot.addWidget(dialog)
    # Meanwhile something else changes these: what the dialog does not show stays as it is.
    model.change(loop=False, recent=("a.mp4",))
    model.change_style(boxes=False)
    changed: set[str] = set()
    told: list[Settings] = []
    model.changed.connect(told.append)
    shown = [one for one in dialog.findChildren(QWidget) if isinstance(one, QComboBox | QCheckBox | QAbstractSpinBox)]
    for field in shown:
        told.clear()
        if isinstance(field, QComboBox):
            row = (field.currentIndex() + 1) % field.count()
            field.setCurrentIndex(row)
            field.activated.emit(row)
        elif isinstance(field, QCheckBox):
            field.toggle()
        else:
            field.stepUp()
        assert len(told) == 1, field.objectName()
        (name,) = different(told[0], model.value)
        assert field.objectName().split("_")[0] in {name.split("_")[0], "privacy"}, name
        changed.add(name)
    assert changed == {
        "theme", "language", "camera", "detector", "min_score", "oversample", "style", "gender", "container",
        "recording_predictions", "snapshot_json", "burst_count",
    }  # fmt: skip
    assert not model.value.style.boxes
    assert model.value.style.privacy == "faces"
    assert model.value.recent == ("a.mp4",)


def test_what_is_changed_anywhere_reaches_the_session_that_runs(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.window.settings.change(gender=False, loop=False)
    assert not desk.window.actions_["show_genders"].isEnabled()
    desk.wait(lambda: bool(desk.shown().labels) and not any(one.gender for one in desk.shown().labels.values()))
    session = desk.window.bridge.session
    assert session is not None
    assert not session.position().loop
    desk.window.settings.change(gender=True)
    assert desk.window.actions_["show_genders"].isEnabled()
    desk.wait(lambda: any(one.gender for one in desk.shown().labels.values()))
    # No face is that certain.
    desk.window.settings.change(min_score=0.999)
    desk.wait(lambda: not desk.shown().tracks)
