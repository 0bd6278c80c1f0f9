"""Table of the window's actions: texts, shortcuts, icons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import mark_text, tr

FACES_PROMISE: Final = mark_text(
    "Hides each face that is found, also where an edge of the picture cuts it, and for a second after it was lost. A "
    "face that is not found stays visible: one that is small, covered or turned away, or has only just come into view."
)
PICTURE_PROMISE: Final = mark_text(
    "Hides the whole picture and draws only boxes and labels on it. Nobody can be recognised, whether their face is "
    "found or not."
)
PRIVACY_REACH: Final = mark_text("This holds for the view, the panels, recordings and screenshots.")
PROMISES: Final[Mapping[PrivacyMode, str]] = {"off": "", "faces": FACES_PROMISE, "picture": PICTURE_PROMISE}
"""What the privacy modes promise, in the same words everywhere."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing the window can do.

    Attributes:
        name: by which the code knows it.
        text: what menus and screen readers call it, in English.
        keys: shortcuts in Qt's portable form; the first one is shown.
        icon: name of the icon, empty for none.
        tip: what the tooltip says beyond the text, in English.
        checkable: whether it is on or off.
        group: actions of one group exclude each other.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    checkable: bool = False
    group: str = ""


SPECS: Final = (
    ActionSpec("open_file", mark_text("Open file…"), ("Ctrl+O",), "file", mark_text("A video or a picture")),
    ActionSpec(
        "open_folder", mark_text("Open folder…"), ("Ctrl+Shift+O",), "folder", mark_text("A folder of pictures")
    ),
    ActionSpec("open_stream", mark_text("Open stream…"), ("Ctrl+L",), "stream", mark_text("An http or rtsp address")),
    ActionSpec("open_demo", mark_text("Demo"), ("Ctrl+D",), "demo", mark_text("Faces that need no camera")),
    ActionSpec("choose_camera", mark_text("Choose camera…"), ("Ctrl+K",), "camera"),
    ActionSpec("start", mark_text("Start"), ("F5",), "play", mark_text("Start the source"), True),
    ActionSpec("quit", mark_text("Quit"), ("Ctrl+Q",)),
    ActionSpec("play", mark_text("Pause"), ("Space",), "pause", "", True),
    ActionSpec("step", mark_text("Next frame"), (".",), "step"),
    ActionSpec("step_back", mark_text("Previous frame"), (",",), "step-back"),
    ActionSpec("loop", mark_text("Loop"), ("L",), "loop", mark_text("Start again at the end"), True),
    ActionSpec("slower", mark_text("Slower"), ("[",)),
    ActionSpec("faster", mark_text("Faster"), ("]",)),
    ActionSpec("record", mark_text("Record"), ("R",), "record", mark_text("Without sound, as shown"), True),
    ActionSpec("pause_recording", mark_text("Pause recording"), ("Shift+R",), "pause", "", True),
    ActionSpec("screenshot", mark_text("Screenshot"), ("S",), "screenshot", mark_text("A PNG with its predictions")),
    ActionSpec("burst", mark_text("Burst"), ("Shift+S",), "burst", mark_text("Several screenshots in a row")),
    ActionSpec("copy", mark_text("Copy picture"), ("Ctrl+C",), "copy"),
    ActionSpec("mirror", mark_text("Mirror"), ("M",), "mirror", mark_text("Left and right as in a mirror"), True),
    ActionSpec("privacy_off", mark_text("Hide nothing"), ("Ctrl+Shift+1",), "eye", "", True, "privacy"),
    ActionSpec("privacy_faces", mark_text("Hide faces"), ("Ctrl+Shift+2",), "privacy", FACES_PROMISE, True, "privacy"),
    ActionSpec(
        "privacy_picture",
        mark_text("Hide the whole picture"),
        ("Ctrl+Shift+3",),
        "privacy-picture",
        PICTURE_PROMISE,
        True,
        "privacy",
    ),
    ActionSpec("privacy_blur", mark_text("Blur"), ("Ctrl+Shift+4",), "", "", True, "privacy_style"),
    ActionSpec("privacy_pixelate", mark_text("Pixelate"), ("Ctrl+Shift+5",), "", "", True, "privacy_style"),
    ActionSpec("privacy", mark_text("Privacy mode"), ("P",), "eye", "", True),
    ActionSpec("full_screen", mark_text("Full screen"), ("F", "F11"), "fullscreen", "", True),
    ActionSpec("zoom_in", mark_text("Zoom in"), ("Ctrl++", "Ctrl+=")),
    ActionSpec("zoom_out", mark_text("Zoom out"), ("Ctrl+-",)),
    ActionSpec("zoom_fit", mark_text("Whole picture"), ("Ctrl+0",)),
    ActionSpec("show_boxes", mark_text("Boxes"), ("B",), "", "", True),
    ActionSpec("show_names", mark_text("Track numbers"), ("I",), "", "", True),
    ActionSpec("show_ages", mark_text("Age groups"), ("A",), "", "", True),
    ActionSpec("show_genders", mark_text("Genders"), ("G",), "", "", True),
    ActionSpec("show_confidences", mark_text("Confidences"), ("C",), "", "", True),
    ActionSpec("show_landmarks", mark_text("Landmarks"), ("K",), "", "", True),
    ActionSpec("show_statistics", mark_text("Statistics in the picture"), ("T",), "", "", True),
    ActionSpec("faces", mark_text("Faces"), ("Ctrl+1",), "faces", mark_text("Who is in view"), True),
    ActionSpec("statistics", mark_text("Statistics"), ("Ctrl+2",), "statistics", mark_text("Rates and delays"), True),
    ActionSpec("network", mark_text("Network"), ("N", "Ctrl+3"), "network", mark_text("What the network sees"), True),
    ActionSpec("copy_statistics", mark_text("Copy statistics"), ("Ctrl+Shift+C",)),
    ActionSpec("preferences", mark_text("Preferences…"), ("Ctrl+,",), "settings"),
    ActionSpec("welcome", mark_text("Privacy and limits"), ("Shift+F1",)),
    ActionSpec("about", mark_text("About Agelens"), ("F1",), "info"),
)

MENUS: Final[dict[str, tuple[str, ...]]] = {
    mark_text("&File"): (
        "choose_camera", "open_file", "open_folder", "open_stream", "open_demo", "@recent", "-", "start", "-",
        "preferences", "-", "quit",
    ),
    mark_text("&Playback"): ("play", "step_back", "step", "-", "slower", "faster", "loop"),
    mark_text("&Capture"): (
        "screenshot", "burst", "copy", "-", "record", "pause_recording",
    ),
    mark_text("&View"): (
        "mirror", "@privacy", "@drawn", "-", "zoom_in", "zoom_out", "zoom_fit", "full_screen", "-", "faces",
        "statistics", "network",
    ),
    mark_text("&Help"): ("welcome", "copy_statistics", "-", "about"),
}  # fmt: skip
"""The menu bar: names of actions, `-` for a line, `@` for a submenu that the window fills."""

DRAWN: Final = (
    "show_boxes",
    "show_names",
    "show_ages",
    "show_genders",
    "show_confidences",
    "show_landmarks",
    "show_statistics",
)
PICTURE_ONLY: Final = frozenset({"play", "step", "step_back"})
"""Actions whose keys work while the picture area has the keyboard: elsewhere they press buttons and type."""


class Actions(QObject):
    """The window's actions by name.

    Args:
        window: gets the actions, so that their shortcuts work everywhere in it.
        picture: gets those whose keys mean something else elsewhere.
    """

    def __init__(self, window: QWidget, picture: QWidget) -> None:
        super().__init__(window)
        self._actions: dict[str, QAction] = {}
        self._groups: dict[str, QActionGroup] = {}
        for spec in SPECS:
            self._actions[spec.name] = self._make(spec, window, picture)
        self["preferences"].setMenuRole(QAction.MenuRole.PreferencesRole)
        self["about"].setMenuRole(QAction.MenuRole.AboutRole)
        self["quit"].setMenuRole(QAction.MenuRole.QuitRole)
        self.retranslate()
        self.refresh_icons()

    def __getitem__(self, name: str) -> QAction:
        """The action of that name."""
        return self._actions[name]

    def __iter__(self) -> Iterator[QAction]:
        """All actions."""
        return iter(self._actions.values())

    def retranslate(self) -> None:
        """Set the texts in the window's language."""
        for spec in SPECS:
            self.name_action(spec.name, tr(spec.text), tr(spec.tip) if spec.tip else "")

    def name_action(self, name: str, text: str, tip: str = "") -> None:
        """Give an action a text, and a tooltip that shows its shortcut."""
        action = self._actions[name]
        action.setText(text)
        shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        first = text.rstrip("…") + (f"  ({shortcut})" if shortcut else "")
        action.setToolTip(f"{first}\n{tip}" if tip else first)
        action.setStatusTip("")

    def refresh_icons(self) -> None:
        """Draw the icons in the theme's colour."""
        for spec in SPECS:
            if spec.icon:
                self._actions[spec.name].setIcon(icon(spec.icon))

    def _make(self, spec: ActionSpec, window: QWidget, picture: QWidget) -> QAction:
        action = QAction(self)
        action.setObjectName(spec.name)
        action.setShortcuts([QKeySequence(keys) for keys in spec.keys])
        action.setCheckable(spec.checkable)
        action.setIconVisibleInMenu(True)
        if spec.group:
            group = self._groups.setdefault(spec.group, QActionGroup(self))
            group.addAction(action)
        if spec.name in PICTURE_ONLY:
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            picture.addAction(action)
        else:
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            window.addAction(action)
        return action
