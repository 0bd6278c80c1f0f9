"""About dialog: version, model card and licences."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.messages import Message
from desktop_app.paths import ROOT
from desktop_app.version import program_version
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.window.style.theme import app_icon, scaled_font
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import make_label

LIMITS: Final = Message(
    "Age group and gender are guesses about how a face looks to a network. They are often wrong, and more often "
    "for some people than for others. Do not decide about anyone by them. Pictures never leave this computer."
)
SCORE_NAMES: Final = {
    "age_exact": Message("Age group exact"),
    "age_within_one": Message("Age group within one"),
    "gender": Message("Gender"),
    "worst_group_gender": Message("Gender, worst group"),
    "age_calibration_error": Message("Age group, calibration error"),
    "gender_calibration_error": Message("Gender, calibration error"),
    "age_mean_absolute_error": Message("Age, mean error in years"),
    "images": Message("Pictures measured"),
}

IN_YEARS: Final = frozenset({"age_mean_absolute_error"})


class AboutDialog(QDialog):
    """Version, model card and licences.

    Args:
        package: the model in use, None while none is loaded.
        licences: text of the licences, see `read_licences`.
        parent: the window.
    """

    def __init__(self, package: ModelPackage | None, licences: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About Agelens"))
        self.resize(600, 550)
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.tabBar().setDrawBase(False)
        self.card = _make_text(describe_package(package) if package else tr("No model is loaded."))
        self.licences = _make_text(licences)
        tabs.addTab(self.card, tr("Model"))
        tabs.addTab(self.licences, tr("Licences"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(16)
        column.addLayout(self._header())
        column.addWidget(make_label(translated(LIMITS), wrap=True))
        column.addWidget(tabs, 1)
        column.addWidget(buttons)

    def _header(self) -> QHBoxLayout:
        logo = QLabel()
        logo.setPixmap(app_icon().pixmap(QSize(64, 64), self.devicePixelRatioF()))
        name = make_label("Agelens")
        name.setFont(scaled_font(1.7, weight=QFont.Weight.DemiBold))
        version = make_label(tr("Version {version}", version=program_version("0")), role="muted")
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(name)
        names.addWidget(version)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(logo)
        row.addLayout(names)
        row.addStretch(1)
        row.setAlignment(names, Qt.AlignmentFlag.AlignVCenter)
        return row


def describe_package(package: ModelPackage) -> str:
    """The model card of a package as plain text."""
    manifest = package.manifest
    lines = [
        f"{package.title} ({package.name})",
        manifest.description,
        "",
        tr("Age groups: {names}", names=", ".join(readable_age(one.name) for one in package.labels.ages)),
        tr("Data: {text}", text=manifest.about.get("data") or tr("not stated")),
        tr("Licence: {text}", text=manifest.about.get("licence") or tr("not stated")),
        "",
    ]
    for key, value in manifest.scores.items():
        name = translated(SCORE_NAMES[key]) if key in SCORE_NAMES else key
        is_share = 0 <= value <= 1 and key not in IN_YEARS
        lines.append(tr("{name}: {value}", name=name, value=f"{value:.1%}" if is_share else f"{value:g}"))
    return "\n".join(lines)


def read_licences() -> str:
    """NOTICE and LICENSE, from the checkout or from the installed package; reads files."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("NOTICE", "LICENSE") if (ROOT / name).is_file()]
    if texts:
        return "\n\n".join(texts)
    try:
        files = metadata.files("agelens") or []
    except metadata.PackageNotFoundError:
        return ""
    named = [file for file in files if file.name in {"NOTICE", "LICENSE"}]
    return "\n\n".join(file.read_text() for file in sorted(named, key=lambda file: file.name, reverse=True))


def _make_text(text: str) -> QPlainTextEdit:
    edit = QPlainTextEdit(text)
    edit.setReadOnly(True)
    edit.setTabChangesFocus(True)
    return edit
