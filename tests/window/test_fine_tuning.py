"""Fine-tuning from the window."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.catalogue.catalogue import user_models_folder
from desktop_app.window.controllers.fine_tuning import FineTuneOrder, FineTuner, missing_for_training
from desktop_app.window.panels.gallery.fine_tune_dialog import FineTuneDialog
from tests.helpers.desk import Desk
from tests.helpers.portrait import astronaut_bgr

TUNING_MS = 120_000


def table_of_pictures(folder: Path) -> Path:
    folder.mkdir()
    rows = ["file,age,gender"]
    for number in range(6):
        picture = np.clip(astronaut_bgr().astype(int) + 8 * number - 20, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        rows.append(f"{number}.png,{20 + number},{'Female' if number % 2 else 'Male'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    installed = missing_for_training(tmp_path)
    assert installed is not None
    assert "come with the source code" in str(installed)
    without_torch = missing_for_training(find=lambda _: None)
    assert without_torch is not None
    assert "PyTorch is not installed" in str(without_torch)
    assert missing_for_training(find=lambda name: name) is None


def test_a_name_is_checked_before_anything_runs(qtbot: QtBot) -> None:
    dialog = FineTuneDialog("agelens", "9 corrected faces", {"mine", "agelens"}.__contains__)
    qtbot.addWidget(dialog)
    assert (dialog.name.text(), dialog.start_button.isEnabled()) == ("mine-2", True)
    for name in ("My model", "agelens", ""):
        dialog.name.setText(name)
        assert not dialog.start_button.isEnabled()
    dialog.name.setText("museum")
    dialog.epochs.setValue(3)
    with qtbot.waitSignal(dialog.start_asked) as asked:
        dialog.start_button.click()
    assert asked.args == ["museum", 3]
    dialog.show_progress("training", 4, 9)
    assert dialog.state_text == "Training: step 4 of 9"
    with qtbot.waitSignal(dialog.cancel_asked):
        dialog.close_button.click()
    dialog.show_end(False, "")
    assert dialog.state_text == "Cancelled. There is no new model."
    with qtbot.waitSignal(dialog.finished):
        dialog.close_button.click()


@pytest.mark.slow
def test_an_error_of_the_tool_is_passed_on(qtbot: QtBot, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tuner = FineTuner()
    with qtbot.waitSignal(tuner.ended, timeout=TUNING_MS) as ended:
        tuner.start(FineTuneOrder(tmp_path / "gone.csv", (), "agelens", "mine", 1))
    assert ended.args is not None
    made, said = ended.args
    assert not made
    assert said.startswith(f"Cannot find {tmp_path / 'gone.csv'}: ")
    assert not tuner.is_running


@pytest.mark.slow
def test_a_model_that_was_taught_is_in_the_picker(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    table = table_of_pictures(tmp_path / "labelled")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(table), ""))
    desk.trigger("fine_tune")
    dialog = desk.window.findChild(FineTuneDialog)
    assert isinstance(dialog, FineTuneDialog)
    dialog.epochs.setValue(1)
    dialog.start_button.click()
    assert not dialog.name.isEnabled()
    qtbot.waitUntil(lambda: dialog.start_button.text() == "Use the new model", timeout=TUNING_MS)
    assert sorted(path.name for path in user_models_folder().iterdir()) == ["mine.onnx", "mine.toml"]
    dialog.start_button.click()
    assert desk.window.settings.value.model == "mine"
    desk.open_demo()
    desk.wait(lambda: desk.window.bridge.status.model == "mine")


@pytest.mark.slow
def test_a_cancelled_run_leaves_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tuner = FineTuner()
    with qtbot.waitSignal(tuner.progressed, timeout=TUNING_MS):
        tuner.start(FineTuneOrder(table_of_pictures(tmp_path / "labelled"), (), "agelens", "mine", 50))
    with qtbot.waitSignal(tuner.ended, timeout=TUNING_MS) as ended:
        tuner.cancel()
    assert ended.args == [False, ""]
    assert not user_models_folder().exists()
