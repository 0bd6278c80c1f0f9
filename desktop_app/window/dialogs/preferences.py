"""Preferences dialog, made of what `desktop_app.preferences` says of each setting; each change applies at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    QSizePolicy,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.messages import Message
from desktop_app.preferences import PreferenceRow, preference_rows
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import language_name, tr, translated
from desktop_app.window.style.widgets import ElidedLabel, indent, make_label


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
        self.setMinimumWidth(580)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        pages: dict[str, QFormLayout] = {}
        for row in preference_rows(type(settings.value)):
            title = translated(row.preference.page)
            if title not in pages:
                pages[title] = self._add_page(title)
            self._add_row(pages[title], row)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        column.addWidget(self.tabs)
        column.addWidget(buttons)

    def _add_page(self, title: str) -> QFormLayout:
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(8, 16, 8, 8)
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(12)
        self.tabs.addTab(page, title)
        return form

    def _add_row(self, form: QFormLayout, row: PreferenceRow) -> None:
        value = row.value(self._settings.value)
        hint = make_label(role="muted", wrap=True)

        def show_hint(value: Any) -> None:
            text = row.hint(value)
            hint.setText(translated(text) if text else "")

        def change(value: Any) -> None:
            self._settings.put(row.changed(self._settings.value, value))
            show_hint(value)

        field = _make_field(row, value, change)
        field.setObjectName(row.name)
        text = translated(row.preference.label)
        field.setAccessibleName(text)
        if row.preference.tool_tip:
            field.setToolTip(translated(row.preference.tool_tip))
        if isinstance(field, QCheckBox):
            field.setText(text)
            form.addRow("", field)
        else:
            label = QLabel(text)
            # Form layouts put labels at the top of their row.
            label.setMinimumHeight(field.sizeHint().height())
            label.setBuddy(field)
            form.addRow(label, field)
        if row.preference.hint:
            show_hint(value)
            form.addRow(hint)


def _make_field(row: PreferenceRow, value: Any, change: Callable[[Any], None]) -> QWidget:
    """The widget for a setting, which shows its value and hands on another one."""
    if row.kind is bool:
        box = QCheckBox()
        box.setChecked(value)
        box.toggled.connect(change)
        return box
    if row.kind is Path:
        return FolderField(value, change)
    if row.preference.limits:
        return _make_spin_box(row, value, change)
    values = row.choices(value)
    choice = QComboBox()
    choice.addItems([_text_of(row, one) for one in values])
    choice.setCurrentIndex(values.index(value))
    choice.activated.connect(lambda index: change(values[index]))
    return choice


def _make_spin_box(row: PreferenceRow, value: Any, change: Callable[[Any], None]) -> QAbstractSpinBox:
    assert row.preference.limits
    low, high = row.preference.limits
    if row.kind is int:
        whole = QSpinBox()
        whole.setRange(int(low), int(high))
        whole.setValue(value)
        whole.valueChanged.connect(change)
        box: QAbstractSpinBox = whole
    else:
        real = QDoubleSpinBox()
        real.setRange(low, high)
        real.setSingleStep(row.preference.step)
        real.setValue(value)
        real.valueChanged.connect(lambda value: change(round(value, real.decimals())))
        box = real
    indent(box)
    return box


def _text_of(row: PreferenceRow, value: Any) -> str:
    if value in row.preference.texts:
        text = row.preference.texts[value]
        return translated(text) if isinstance(text, Message) else text
    if row.preference.languages:
        return language_name(value)
    values = value if isinstance(value, tuple) else (value,)
    text = " × ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)
    return f"{text} {row.preference.unit}".rstrip()


class FolderField(QWidget):
    """A folder and a button that chooses another one.

    Args:
        folder: what is shown first.
        change: called with another folder.
    """

    def __init__(self, folder: Path, change: Callable[[Path], None]) -> None:
        super().__init__()
        self._folder, self._change = folder, change
        self._label = ElidedLabel()
        self._button = QPushButton(tr("Change…"))
        self._button.setIcon(icon("folder"))
        self._button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._button.clicked.connect(self._on_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._label, 1)
        row.addWidget(self._button)
        self.setFocusProxy(self._button)
        self._show()

    def _show(self) -> None:
        self._label.set_text(str(self._folder))
        self._button.setAccessibleName(str(self._folder))

    def _on_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, tr("Choose a folder"), str(self._folder))
        if chosen:
            self._folder = Path(chosen)
            self._change(self._folder)
            self._show()
