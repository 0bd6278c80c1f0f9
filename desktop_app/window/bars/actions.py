"""Table of the window's actions: texts, shortcuts, icons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from desktop_app.messages import Message
from desktop_app.vision.privacy.promises import FACES_PROMISE, PICTURE_PROMISE
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import translated


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing the window can do.

    Attributes:
        name: by which the code knows it.
        text: what menus and screen readers call it.
        keys: shortcuts in Qt's portable form; the first one is shown.
        icon: name of the icon, empty for none.
        tip: what the tooltip says beyond the text.
        checkable: whether it is on or off.
        group: actions of one group exclude each other.
    """

    name: str
    text: Message
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: Message | None = None
    checkable: bool = False
    group: str = ""


SPECS: Final = (
    ActionSpec("open_file", Message("Open files…"), ("Ctrl+O",), "file", Message("Videos and pictures")),
    ActionSpec("open_folder", Message("Open folder…"), ("Ctrl+Shift+O",), "folder", Message("A folder of pictures")),
    ActionSpec("open_stream", Message("Open stream…"), ("Ctrl+L",), "stream", Message("An http or rtsp address")),
    ActionSpec("open_demo", Message("Demo"), ("Ctrl+D",), "demo", Message("Faces that need no camera")),
    ActionSpec("choose_camera", Message("Choose camera…"), ("Ctrl+K",), "camera"),
    ActionSpec(
        "camera_controls",
        Message("Camera controls…"),
        ("Ctrl+E",),
        "exposure",
        Message("Exposure, focus and white balance, where the camera offers them"),
    ),
    ActionSpec("start", Message("Start"), ("F5",), "play", Message("Start the source"), True),
    ActionSpec("quit", Message("Quit"), ("Ctrl+Q",)),
    ActionSpec("play", Message("Pause"), ("Space",), "pause", None, True),
    ActionSpec("step", Message("Next frame"), (".",), "step"),
    ActionSpec("step_back", Message("Previous frame"), (",",), "step-back"),
    ActionSpec("previous_entry", Message("Previous file"), ("Ctrl+Left", "Media Previous"), "previous"),
    ActionSpec("next_entry", Message("Next file"), ("Ctrl+Right", "Media Next"), "next"),
    ActionSpec("loop", Message("Loop"), ("L",), "loop", Message("Start again at the end"), True),
    ActionSpec("slower", Message("Slower"), ("[",)),
    ActionSpec("faster", Message("Faster"), ("]",)),
    ActionSpec("record", Message("Record"), ("R",), "record", Message("Without sound, as shown"), True),
    ActionSpec("pause_recording", Message("Pause recording"), ("Shift+R",), "pause", None, True),
    ActionSpec("screenshot", Message("Screenshot"), ("S",), "screenshot", Message("A PNG with its predictions")),
    ActionSpec("burst", Message("Burst"), ("Shift+S",), "burst", Message("Several screenshots in a row")),
    ActionSpec("copy", Message("Copy picture"), ("Ctrl+C",), "copy"),
    ActionSpec("open_recordings", Message("Open recordings folder"), ("Ctrl+Shift+R",), "folder"),
    ActionSpec("open_screenshots", Message("Open screenshots folder"), ("Ctrl+Shift+S",), "folder"),
    ActionSpec(
        "save_summary",
        Message("Save session summary…"),
        ("Ctrl+S",),
        "",
        Message("Who was there, when and how long, with no picture"),
    ),
    ActionSpec("mirror", Message("Mirror"), ("M",), "mirror", Message("Left and right as in a mirror"), True),
    ActionSpec("privacy_off", Message("Hide nothing"), ("Ctrl+Shift+1",), "eye", None, True, "privacy"),
    ActionSpec("privacy_faces", Message("Hide faces"), ("Ctrl+Shift+2",), "privacy", FACES_PROMISE, True, "privacy"),
    ActionSpec(
        "privacy_picture",
        Message("Hide the whole picture"),
        ("Ctrl+Shift+3",),
        "privacy-picture",
        PICTURE_PROMISE,
        True,
        "privacy",
    ),
    ActionSpec("privacy_blur", Message("Blur"), ("Ctrl+Shift+4",), "", None, True, "privacy_style"),
    ActionSpec("privacy_pixelate", Message("Pixelate"), ("Ctrl+Shift+5",), "", None, True, "privacy_style"),
    ActionSpec("privacy", Message("Privacy mode"), ("P",), "eye", None, True),
    ActionSpec("full_screen", Message("Full screen"), ("F", "F11"), "fullscreen", None, True),
    ActionSpec("zoom_in", Message("Zoom in"), ("Ctrl++", "Ctrl+=")),
    ActionSpec("zoom_out", Message("Zoom out"), ("Ctrl+-",)),
    ActionSpec("zoom_fit", Message("Whole picture"), ("Ctrl+0",)),
    ActionSpec("show_boxes", Message("Boxes"), ("B",), "", None, True),
    ActionSpec("show_names", Message("Track numbers"), ("I",), "", None, True),
    ActionSpec("show_ages", Message("Age groups"), ("A",), "", None, True),
    ActionSpec("show_genders", Message("Genders"), ("G",), "", None, True),
    ActionSpec("show_confidences", Message("Confidences"), ("C",), "", None, True),
    ActionSpec("show_landmarks", Message("Landmarks"), ("K",), "", None, True),
    ActionSpec("show_statistics", Message("Statistics in the picture"), ("T",), "", None, True),
    ActionSpec("faces", Message("Faces"), ("Ctrl+1",), "faces", Message("Who is in view"), True),
    ActionSpec("audience", Message("Audience"), ("Ctrl+4",), "audience", Message("Who was there so far"), True),
    ActionSpec("count_anew", Message("Count anew"), ("Ctrl+Shift+N",), "", Message("Forget who was there so far")),
    ActionSpec(
        "draw_line",
        Message("Draw a line"),
        ("Ctrl+Shift+L",),
        "line",
        Message("Count who crosses it, by direction"),
        True,
    ),
    ActionSpec("remove_lines", Message("Remove the lines"), ("Ctrl+Shift+K",), "", Message("Count no crossings")),
    ActionSpec(
        "gallery", Message("Pictures"), ("Ctrl+5",), "image", Message("The pictures of a folder, one by one"), True
    ),
    ActionSpec(
        "save_corrections",
        Message("Save corrections…"),
        ("Ctrl+Shift+E",),
        "",
        Message("What you said of faces, as a table that fine-tuning takes"),
    ),
    ActionSpec(
        "compare_corrections",
        Message("Compare with corrections…"),
        ("Ctrl+Shift+M",),
        "",
        Message("How often the model is right about your pictures"),
    ),
    ActionSpec(
        "fine_tune",
        Message("Fine-tune a model…"),
        ("Ctrl+Shift+T",),
        "",
        Message("Teach a model by your corrections, or by a table of labelled pictures"),
    ),
    ActionSpec("statistics", Message("Statistics"), ("Ctrl+2",), "statistics", Message("Rates and delays"), True),
    ActionSpec("network", Message("Network"), ("N", "Ctrl+3"), "network", Message("What the network sees"), True),
    ActionSpec("copy_statistics", Message("Copy statistics"), ("Ctrl+Shift+C",)),
    ActionSpec("preferences", Message("Preferences…"), ("Ctrl+,",), "settings"),
    ActionSpec("shortcuts", Message("Keyboard shortcuts"), ("F1",)),
    ActionSpec("welcome", Message("Privacy and limits"), ("Shift+F1",)),
    ActionSpec("about", Message("About Agelens"), ("Ctrl+F1",), "info"),
)

MENUS: Final[dict[Message, tuple[str, ...]]] = {
    Message("&File"): (
        "choose_camera", "open_file", "open_folder", "open_stream", "open_demo", "@recent", "-", "start",
        "camera_controls", "-", "preferences", "-", "quit",
    ),
    Message("&Playback"): (
        "play", "step_back", "step", "-", "previous_entry", "next_entry", "-", "slower", "faster", "loop",
    ),
    Message("&Capture"): (
        "screenshot", "burst", "copy", "-", "record", "pause_recording", "-", "save_summary", "count_anew", "-",
        "draw_line", "remove_lines", "-",
        "save_corrections", "compare_corrections", "fine_tune", "-", "open_recordings", "open_screenshots",
    ),
    Message("&View"): (
        "mirror", "@privacy", "@drawn", "-", "zoom_in", "zoom_out", "zoom_fit", "full_screen", "-", "faces",
        "audience", "gallery", "statistics", "network",
    ),
    Message("&Help"): ("shortcuts", "welcome", "copy_statistics", "-", "about"),
}  # fmt: skip
"""The menu bar: names of actions, `-` for a line, `@` for a submenu that the window fills."""

PRIVACY: Final = ("privacy_off", "privacy_faces", "privacy_picture", "-", "privacy_blur", "privacy_pixelate")
"""The submenu of privacy modes."""
DRAWN: Final = (
    "show_boxes",
    "show_names",
    "show_ages",
    "show_genders",
    "show_confidences",
    "show_landmarks",
    "show_statistics",
)
PICTURE: Final = (
    "screenshot", "copy", "record", "-", "mirror", "@privacy", "@drawn", "-", "zoom_fit", "full_screen", "-",
    "camera_controls", "preferences",
)  # fmt: skip
"""The picture's context menu."""
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
            self.name_action(spec.name, translated(spec.text), translated(spec.tip) if spec.tip else "")

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
