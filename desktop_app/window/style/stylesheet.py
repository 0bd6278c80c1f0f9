"""Style sheet of the window: spacing, corners and states."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from desktop_app.window.style.colours import Theme

_SHEET: Final = Template("""
QMainWindow, QDialog { background: $window; }
QMainWindow::separator { background: $border; width: 1px; height: 1px; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 8px; }

QMenuBar { background: $window; padding: 2px 8px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $surface; border: 1px solid $border; padding: 4px; menu-scrollable: 1; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $accent_text; }
QMenu::item:disabled { color: $muted; background: transparent; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }

#sourceBar { background: $window; border-bottom: 1px solid $border; }
#controlBar, #playbackBar { background: $window; border-top: 1px solid $border; }
#controlBar[floating="true"], #playbackBar[floating="true"] { background: $floating; border: none; }
QStatusBar { background: $window; border-top: 1px solid $border; color: $muted; min-height: 26px; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $muted; padding: 0 6px; }
QStatusBar QLabel#stateText { color: $text; }

QToolButton, QPushButton, QComboBox {
    border: 1px solid transparent; border-radius: 6px; padding: 5px 10px; min-height: 20px;
    background: transparent; color: $text;
}
QToolButton:hover, QPushButton:hover, QComboBox:hover { background: $hover; }
QToolButton:pressed, QPushButton:pressed { background: $border; }
QToolButton:checked { background: $hover; border-color: $border; }
QToolButton:focus, QPushButton:focus, QComboBox:focus { border-color: $link; }
QToolButton:disabled, QPushButton:disabled, QComboBox:disabled { color: $muted; }
QPushButton { background: $raised; border-color: $border; }
QToolButton[role="plain"] { background: $raised; border-color: $border; }
QToolButton[role="plain"]:hover { background: $hover; }
QToolButton[role="picker"], QComboBox { background: $raised; border-color: $outline; }
QToolButton[role="picker"] { padding-right: 28px; }
QComboBox { padding-right: 0; }
QToolButton[role="picker"]:hover, QComboBox:hover { background: $hover; border-color: $muted; }
QToolButton[role="picker"]:pressed, QComboBox:on { background: $border; border-color: $link; }
QToolButton[role="picker"]:focus, QComboBox:focus { border-color: $link; }
QToolButton[role="picker"]:disabled, QComboBox:disabled { background: $window; border-color: $border; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[role="picker"]::menu-indicator {
    image: url($chevron); width: 14px; height: 14px;
    subcontrol-origin: border; subcontrol-position: center right; right: 9px;
}
QToolButton[role="picker"]::menu-indicator:disabled, QComboBox::down-arrow:disabled { image: url($chevron_disabled); }
QToolButton[role="split"] { padding: 7px 25px 7px 7px; border-radius: 8px; }
QToolButton[role="split"]::menu-button { width: 18px; border: none; border-radius: 6px; margin: 2px; }
QToolButton[role="split"]::menu-button:hover { background: $border; }
QToolButton[role="split"]::menu-arrow { image: url($chevron); width: 12px; height: 12px; }
QPushButton[role="primary"], QToolButton[role="primary"] {
    background: $accent; color: $accent_text; border-color: $accent; font-weight: 600; padding: 5px 14px;
}
QPushButton[role="primary"]:hover, QToolButton[role="primary"]:hover { background: $accent_hover; }
QPushButton[role="primary"]:focus, QToolButton[role="primary"]:focus { border: 1px solid $text; }
QToolButton[role="round"] { padding: 7px; border-radius: 8px; }
QToolButton[role="record"] {
    padding: 0; min-height: 40px; max-height: 40px; border-radius: 21px; border: 2px solid $border;
}
QToolButton[role="record"]:hover { border-color: $danger; }
QToolButton[role="record"]:checked { border-color: $danger; background: transparent; }
QToolButton[role="record"]:focus { border-color: $link; }
QPushButton[role="link"], QToolButton[role="link"] {
    background: transparent; border-color: transparent; color: $link; padding: 2px 6px; font-weight: 600;
}
QPushButton[role="link"]:hover, QToolButton[role="link"]:hover { text-decoration: underline; }
QComboBox::drop-down { border: none; width: 28px; }
QComboBox::down-arrow { image: url($chevron); width: 14px; height: 14px; }
QComboBox QAbstractItemView {
    background: $surface; border: 1px solid $border; selection-background-color: $accent;
    selection-color: $accent_text; outline: none;
}
QLineEdit, QSpinBox, QDoubleSpinBox, QPlainTextEdit, QTextBrowser {
    background: $surface; border: 1px solid $outline; border-radius: 6px; padding: 5px 8px;
    selection-background-color: $accent; selection-color: $accent_text;
}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus { border-color: $link; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
    subcontrol-origin: border; width: 24px; border: none; border-radius: 4px; margin: 2px;
}
QAbstractSpinBox::up-button { subcontrol-position: top right; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $hover; }
QAbstractSpinBox::up-arrow { image: url($chevron_up); width: 12px; height: 12px; }
QAbstractSpinBox::down-arrow { image: url($chevron); width: 12px; height: 12px; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator {
    width: 16px; height: 16px; border: 1px solid $muted; border-radius: 4px; background: $surface;
}
QCheckBox::indicator:hover, QCheckBox:focus { border-color: $link; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($check); }
QCheckBox::indicator:focus { border-color: $link; }

#fineTuneBar { background: $border; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }
#fineTuneBar::chunk { background: $accent; border-radius: 3px; }

QSlider { min-height: 20px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $border; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $muted; }
QSlider::handle:horizontal {
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: $text; border: none;
}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus { background: $link; }
QSlider::handle:horizontal:disabled { background: $muted; }

QDockWidget { titlebar-close-icon: url($close); color: $text; }
QDockWidget::close-button { subcontrol-position: center right; right: 8px; width: 16px; height: 16px; border: none; }
QDockWidget::close-button:hover { background: $hover; border-radius: 4px; }
QDockWidget::title { background: $window; padding: 8px; border-bottom: 1px solid $border; text-align: left; }
QTabBar::tab {
    background: transparent; color: $muted; padding: 7px 14px; border: none; border-bottom: 2px solid transparent;
}
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { color: $link; }
QTabWidget::pane { border: none; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QToolBar { border: none; padding: 0; margin: 0; spacing: 0; background: $window; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $hover; border-radius: 5px; min-height: 24px; min-width: 24px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QTableView { background: $surface; border: 1px solid $border; gridline-color: $border; }
QHeaderView { background: $surface; }
QHeaderView::section { background: $surface; color: $muted; border: none; padding: 4px; }
QTableCornerButton::section { background: $surface; border: none; }
QGroupBox { border: none; margin-top: 24px; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; left: 0; color: $muted; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="error"] { color: $danger; }

#toast { background: rgba(30, 33, 38, 240); border: 1px solid #454b55; border-radius: 8px; }
#toast QLabel { color: #f2f4f7; }
#toast QPushButton {
    color: #8ab6ff; background: transparent; border-color: transparent; padding: 2px 6px; font-weight: 600;
}
#toast QPushButton:focus { border-color: #8ab6ff; }
#recordingPill {
    background: #c0262d; color: #ffffff; border-radius: 10px; padding: 4px 12px; font-weight: 600;
}
#countdown { background: rgba(0, 0, 0, 150); color: #ffffff; border-radius: 28px; font-size: 84px; font-weight: 600; }
#pictureMessage, #welcomePage { background: transparent; }
#pictureMessage QLabel, #welcomePage QLabel { color: $on_canvas; }
#pictureMessage QLabel[role="muted"], #welcomePage QLabel[role="muted"] { color: $on_canvas_muted; }
#pictureMessage QPushButton, #welcomePage QPushButton {
    background: #272b31; color: $on_canvas; border-color: #454b55; padding: 7px 14px;
}
#pictureMessage QPushButton:hover, #welcomePage QPushButton:hover { background: #353a43; }
#pictureMessage QPushButton:focus, #welcomePage QPushButton:focus { border-color: #8ab6ff; }
#pictureMessage QPushButton[role="primary"], #welcomePage QPushButton[role="primary"] {
    background: #2f6fed; border-color: #2f6fed; color: #ffffff;
}
#pictureMessage QPushButton[role="primary"]:focus, #welcomePage QPushButton[role="primary"]:focus {
    border-color: #ffffff;
}
""")


def build_stylesheet(theme: Theme, *, on_canvas: str, on_canvas_muted: str, icons: Path) -> str:
    """The style sheet of a theme.

    Args:
        theme: the colours.
        on_canvas: text colour on the dark canvas around the picture.
        on_canvas_muted: the same for less important text.
        icons: the folder with the icons.
    """
    colours = {name: getattr(theme, name) for name in type(theme).__dataclass_fields__}
    # The bars let the picture shine through a little in full screen.
    return _SHEET.substitute(
        colours,
        floating=f"#e6{theme.window[1:]}",
        on_canvas=on_canvas,
        on_canvas_muted=on_canvas_muted,
        check=(icons / "check-on-accent.svg").as_posix(),
        chevron=(icons / f"chevron-{theme.name}.svg").as_posix(),
        chevron_disabled=(icons / f"chevron-disabled-{theme.name}.svg").as_posix(),
        chevron_up=(icons / f"chevron-up-{theme.name}.svg").as_posix(),
        close=(icons / f"close-{theme.name}.svg").as_posix(),
    )
