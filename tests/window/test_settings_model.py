"""Settings in use: who is told of a change, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Final

import pytest
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QLabel, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.messages import Message
from desktop_app.preferences import Preference
from desktop_app.settings import Settings, SettingsError, SettingsStore
from desktop_app.window.background import Background
from desktop_app.window.dialogs.preferences import PreferencesDialog
from desktop_app.window.settings_model import SettingsModel
from tests.helpers.desk import Desk

SOUND: Final = Message("Sound")


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


@pytest.mark.slow
def test_a_change_is_kept_by_itself(qtbot: QtBot, model: SettingsModel, tmp_path: Path) -> None:
    model.change(theme="dark")
    qtbot.waitUntil((tmp_path / "settings.json").exists, timeout=10_000)
    assert SettingsStore(tmp_path / "settings.json").load().theme == "dark"


@pytest.mark.slow
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
    for widget in shown:
        told.clear()
        if isinstance(widget, QComboBox):
            row = (widget.currentIndex() + 1) % widget.count()
            widget.setCurrentIndex(row)
            widget.activated.emit(row)
        elif isinstance(widget, QCheckBox):
            widget.toggle()
        else:
            widget.stepUp()
        assert len(told) == 1, widget.objectName()
        (name,) = different(told[0], model.value)
        assert widget.objectName().startswith(name)
        changed.add(name)
    assert changed == {
        "theme", "language", "camera", "detector", "min_score", "oversample", "style", "gender", "container",
        "recording_predictions", "snapshot_json", "shutter_delay_s", "burst_count",
    }  # fmt: skip
    assert not model.value.style.boxes
    assert model.value.style.privacy == "faces"
    assert model.value.recent == ("a.mp4",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Settings within settings."""

    left: Annotated[
        int, Preference(page=SOUND, label=Message("Balance"), choices=((1, 2), (3, 4)), beside=("right",))
    ] = 1
    right: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreSettings(Settings):
    """Settings to which somebody added a few."""

    volume: Annotated[int, Preference(page=SOUND, label=Message("Volume"), limits=(0, 11))] = 3
    quiet: Annotated[
        bool, Preference(page=SOUND, label=Message("Quiet"), hint={True: Message("Hush"), False: Message("La")})
    ] = False
    sound: Sound = field(default_factory=Sound)


def test_a_field_that_is_added_is_a_preference_and_is_kept(
    qtbot: QtBot, background: Background, tmp_path: Path
) -> None:
    store = SettingsStore(tmp_path / "settings.json", kind=MoreSettings)
    model = SettingsModel(MoreSettings(), store, background)
    dialog = PreferencesDialog(model)
    qtbot.addWidget(dialog)
    assert dialog.tabs.tabText(dialog.tabs.count() - 1) == "Sound"
    volume, quiet, balance = (
        dialog.findChild(kind, name)
        for kind, name in ((QSpinBox, "volume"), (QCheckBox, "quiet"), (QComboBox, "sound_left"))
    )
    assert isinstance(volume, QSpinBox)
    assert isinstance(quiet, QCheckBox)
    assert isinstance(balance, QComboBox)
    assert (volume.value(), volume.maximum(), volume.accessibleName()) == (3, 11, "Volume")
    assert [balance.itemText(row) for row in range(balance.count())] == ["1 × 2", "3 × 4"]
    volume.setValue(7)
    quiet.toggle()
    assert "Hush" in [label.text() for label in dialog.findChildren(QLabel)]
    balance.activated.emit(1)
    model.close()
    kept = SettingsStore(tmp_path / "settings.json", kind=MoreSettings).load()
    assert kept == MoreSettings(volume=7, quiet=True, sound=Sound(left=3, right=4))


@pytest.mark.slow
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
