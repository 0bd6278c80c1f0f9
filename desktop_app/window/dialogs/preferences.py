"""Preferences dialog; each change applies at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.paths import languages
from desktop_app.window.bars.actions import PRIVACY_REACH, PROMISES
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import language_name, tr, translated
from desktop_app.window.style.widgets import make_label

CAMERA_SIZES = ((640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
CAMERA_RATES = (15.0, 24.0, 30.0, 50.0, 60.0)
CAMERA_FORMATS = ("MJPG", "YUYV", "NV12", "H264")
CAMERA_BACKENDS = ("auto", "v4l2", "msmf", "dshow", "avfoundation")


class PreferencesDialog(QDialog):
    """Shows settings and changes each of them on its own.

    Args:
        settings: what is shown and changed.
        parent: the window.
    """

    def __init__(self, settings: SettingsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.setWindowTitle(tr("Preferences"))
        self.setMinimumWidth(520)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self._general_page(), tr("General"))
        self.tabs.addTab(self._camera_page(), tr("Camera"))
        self.tabs.addTab(self._recognition_page(), tr("Recognition"))
        self.tabs.addTab(self._privacy_page(), tr("Privacy"))
        self.tabs.addTab(self._saving_page(), tr("Saving"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        column.addWidget(self.tabs)
        column.addWidget(buttons)

    def _general_page(self) -> QWidget:
        page, form = _make_page()
        themes = {"system": tr("Use system setting"), "light": tr("Light"), "dark": tr("Dark")}
        _add_row(form, tr("Theme"), self._choice("theme", themes, self._settings.value.theme))
        choices = {"system": tr("Use system setting"), **{code: language_name(code) for code in languages()}}
        _add_row(form, tr("Language"), self._choice("language", choices, self._settings.value.language))
        return page

    def _camera_page(self) -> QWidget:
        page, form = _make_page()
        camera = self._settings.value.camera
        sizes: dict[Any, str] = {(w, h): f"{w} × {h}" for w, h in (*CAMERA_SIZES, (camera.width, camera.height))}
        rates: dict[Any, str] = {rate: f"{rate:g} Hz" for rate in (*CAMERA_RATES, camera.rate)}
        formats: dict[Any, str] = {name: name for name in (*CAMERA_FORMATS, camera.fourcc)}
        backends: dict[Any, str] = {name: name for name in CAMERA_BACKENDS}
        backends["auto"] = tr("Automatic")

        def change_camera(**changes: Any) -> None:
            self._settings.change(camera=replace(self._settings.value.camera, **changes))

        size = (camera.width, camera.height)
        _add_row(
            form,
            tr("Size"),
            _make_choice(sizes, size, lambda value: change_camera(width=value[0], height=value[1]), "camera_size"),
        )
        _add_row(
            form,
            tr("Frame rate"),
            _make_choice(rates, camera.rate, lambda value: change_camera(rate=value), "camera_rate"),
        )
        _add_row(
            form,
            tr("Format"),
            _make_choice(formats, camera.fourcc, lambda value: change_camera(fourcc=value), "camera_format"),
        )
        _add_row(
            form,
            tr("Capture backend"),
            _make_choice(backends, camera.backend, lambda value: change_camera(backend=value), "camera_backend"),
        )
        form.addRow(_make_hint(tr("A camera takes the nearest format it has; the status line shows which.")))
        return page

    def _recognition_page(self) -> QWidget:
        page, form = _make_page()
        modes = {
            "auto": tr("Automatic"),
            "short": tr("Near faces (fast)"),
            "full": tr("Near and far faces"),
        }
        _add_row(form, tr("Face distance"), self._choice("detector", modes, self._settings.value.detector))
        score = QDoubleSpinBox()
        _indent_text(score)
        score.setObjectName("min_score")
        score.setRange(0.1, 0.95)
        score.setSingleStep(0.05)
        score.setValue(self._settings.value.min_score)
        score.valueChanged.connect(lambda value: self._settings.change(min_score=round(value, 2)))
        score.setToolTip(tr("Higher: fewer mistakes, and fewer faces found"))
        _add_row(form, tr("Minimum detection confidence"), score)
        text = tr("Average ten views of each face")
        form.addRow("", self._check("oversample", text, self._settings.value.oversample))
        form.addRow(_make_hint(tr("Ten views are a little more accurate and about ten times as much work.")))
        return page

    def _privacy_page(self) -> QWidget:
        page, form = _make_page()
        style = self._settings.value.style
        modes: dict[Any, str] = {
            "off": tr("Hide nothing"),
            "faces": tr("Hide faces"),
            "picture": tr("Hide the whole picture"),
        }
        promise = _make_hint("")

        def change_style(**changes: Any) -> None:
            self._settings.change_style(**changes)
            show_promise()

        def show_promise() -> None:
            text = PROMISES[self._settings.value.style.privacy]
            promise.setText(
                f"{translated(text)} {translated(PRIVACY_REACH)}" if text else tr("Everybody can be recognised.")
            )

        _add_row(
            form,
            tr("Hide"),
            _make_choice(modes, style.privacy, lambda mode: change_style(privacy=mode), "privacy"),
        )
        styles: dict[Any, str] = {"blur": tr("Blur"), "pixelate": tr("Pixelate")}
        _add_row(
            form,
            tr("How"),
            _make_choice(
                styles, style.privacy_style, lambda chosen: change_style(privacy_style=chosen), "privacy_style"
            ),
        )
        show_promise()
        form.addRow(promise)
        text = tr("Compute perceived gender")
        form.addRow("", self._check("gender", text, self._settings.value.gender))
        form.addRow(_make_hint(tr("Without it gender is neither computed nor shown, and its columns stay empty.")))
        return page

    def _saving_page(self) -> QWidget:
        page, form = _make_page()
        _add_row(form, tr("Recordings"), self._folder("recordings_folder"))
        formats = {"mp4": "MP4 (H.264)", "mkv": "MKV (H.264)"}
        _add_row(form, tr("File format"), self._choice("container", formats, self._settings.value.container))
        tables = {"none": tr("Nothing"), "csv": "CSV", "jsonl": "JSON lines"}
        chosen = self._settings.value.recording_predictions
        _add_row(form, tr("Save predictions with recordings"), self._choice("recording_predictions", tables, chosen))
        _add_row(form, tr("Screenshots"), self._folder("screenshots_folder"))
        text = tr("Also write a JSON file")
        form.addRow("", self._check("snapshot_json", text, self._settings.value.snapshot_json))
        count = QSpinBox()
        _indent_text(count)
        count.setObjectName("burst_count")
        count.setRange(2, 30)
        count.setValue(self._settings.value.burst_count)
        count.valueChanged.connect(lambda value: self._settings.change(burst_count=value))
        _add_row(form, tr("Pictures in a burst"), count)
        form.addRow(_make_hint(tr("Recordings have no sound: Agelens never listens.")))
        return page

    def _choice(self, name: str, texts: Mapping[Any, str], value: Any) -> QComboBox:
        return _make_choice(texts, value, lambda chosen: self._settings.change(**{name: chosen}), name)

    def _check(self, name: str, text: str, value: bool) -> QCheckBox:
        box = QCheckBox(text)
        box.setObjectName(name)
        box.setChecked(value)
        box.toggled.connect(lambda checked: self._settings.change(**{name: checked}))
        return box

    def _folder(self, name: str) -> QWidget:
        path: Path = getattr(self._settings.value, name)
        label = QLabel()
        label.setObjectName(name)
        button = QPushButton(tr("Change…"))
        button.setIcon(icon("folder"))

        def show(folder: Path) -> None:
            label.setText(label.fontMetrics().elidedText(str(folder), Qt.TextElideMode.ElideMiddle, 260))
            label.setToolTip(str(folder))
            button.setAccessibleName(str(folder))

        def choose() -> None:
            start = str(getattr(self._settings.value, name))
            chosen = QFileDialog.getExistingDirectory(self, tr("Choose a folder"), start)
            if chosen:
                self._settings.change(**{name: Path(chosen)})
                show(Path(chosen))

        button.clicked.connect(choose)
        show(path)
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label, 1)
        row.addWidget(button)
        return box


def _make_page() -> tuple[QWidget, QFormLayout]:
    page = QWidget()
    form = QFormLayout(page)
    form.setContentsMargins(8, 16, 8, 8)
    form.setHorizontalSpacing(24)
    form.setVerticalSpacing(12)
    return page, form


def _add_row(form: QFormLayout, text: str, field: QWidget) -> None:
    label = QLabel(text)
    # Form layouts put labels at the top of their row.
    label.setMinimumHeight(field.sizeHint().height())
    label.setBuddy(field)
    field.setAccessibleName(text)
    form.addRow(label, field)


def _indent_text(box: QAbstractSpinBox) -> None:
    """Give the number the distance to the border that the style sheet gives other fields."""
    line = box.lineEdit()
    if line is not None:
        line.setTextMargins(8, 0, 0, 0)


def _make_hint(text: str) -> QLabel:
    return make_label(text, role="muted", wrap=True)


def _make_choice(texts: Mapping[Any, str], value: Any, chosen: Callable[[Any], object], name: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    values = list(texts)
    box.addItems(list(texts.values()))
    box.setCurrentIndex(values.index(value))
    box.activated.connect(lambda index: chosen(values[index]))
    return box
