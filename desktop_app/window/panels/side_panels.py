"""Dock panels: faces, audience, statistics and network view."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QMainWindow, QPushButton, QTabBar, QTabWidget, QWidget

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.engine.session_audience import SessionAudience
from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.base import PictureFile
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.window.bars.actions import Actions
from desktop_app.window.panels.audience_panel import AudiencePanel
from desktop_app.window.panels.faces_panel import FacesPanel
from desktop_app.window.panels.gallery.gallery_panel import GalleryPanel
from desktop_app.window.panels.statistics_panel import StatisticsPanel
from desktop_app.window.style.translation import tr

if TYPE_CHECKING:
    from desktop_app.window.panels.network_view import NetworkView

PANEL_WIDTH = 336
NETWORK_WIDTH = 520


class Panels(QObject):
    """Docks the panels and hands them what they show; a hidden one costs nothing.

    Args:
        window: where they are docked.
        actions: `faces`, `audience`, `statistics` and `network` show and hide them.

    Signals:
        noted: a panel did something: a sentence, and the file that was written or None.
    """

    noted = Signal(str, object)

    def __init__(self, window: QMainWindow, actions: Actions) -> None:
        super().__init__(window)
        self._window, self._actions = window, actions
        self._package: ModelPackage | None = None
        self._shown_package: ModelPackage | None = None
        self._selected: int | None = None
        self._models: Sequence[ModelPackage] = ()
        self._privacy: PrivacyMode = "off"
        self._gender = True
        self._hidden_layout: QByteArray | None = None
        self.faces = FacesPanel()
        self.audience = AudiencePanel()
        self.audience.save_asked.connect(actions["save_summary"].trigger)
        self.audience.reset_asked.connect(actions["count_anew"].trigger)
        actions["count_anew"].triggered.connect(self.audience.release)
        actions["count_anew"].triggered.connect(self.audience.recount)
        for name, button in (("draw_line", self.audience.draw_line), ("remove_lines", self.audience.remove_lines)):
            _follow(button, actions[name])
        self.gallery = GalleryPanel()
        self._opened_gallery = False
        self.statistics = StatisticsPanel()
        self.statistics.copy_asked.connect(actions["copy_statistics"].trigger)
        self.network: NetworkView | None = None
        self._docks: dict[str, QDockWidget] = {}
        window.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
        for name, widget in (
            ("faces", self.faces),
            ("audience", self.audience),
            ("gallery", self.gallery),
            ("statistics", self.statistics),
            ("network", QWidget()),
        ):
            self._add(name, widget)
        for first, second in pairwise(self._docks.values()):
            window.tabifyDockWidget(first, second)
        for name in ("audience", "gallery", "statistics", "network"):
            self._docks[name].hide()
        self._docks["faces"].raise_()
        window.resizeDocks([self._docks["faces"]], [PANEL_WIDTH], Qt.Orientation.Horizontal)
        self.retranslate()

    def dock(self, name: str) -> QDockWidget:
        """The dock of a panel, by the name of its action."""
        return self._docks[name]

    def show_composed(self, rendered: RenderedFrame) -> None:
        """Hand a new picture to the panels that are open."""
        self.faces.show_composed(rendered)
        self.gallery.show_composed(rendered)
        if self.network is None or not self.network.isVisible():
            return
        track_id = self._selected if self._selected in rendered.crops else _largest(rendered)
        if track_id is not None and track_id in rendered.crops:
            self.network.show_crop(track_id, rendered.crops[track_id], rendered.labels.get(track_id))

    def show_only(self, rendered: RenderedFrame) -> None:
        """Show this picture at once, and nothing that was shown or kept before."""
        self.faces.show_only(rendered)
        self.gallery.show_composed(rendered)
        if self.network is not None:
            self.network.clear()

    def show_statistics(self, snapshot: StatisticsSnapshot, audience: SessionAudience) -> None:
        """Hand new figures over, and who counts."""
        self.statistics.show_statistics(snapshot)
        self.audience.watch(audience, snapshot.faces)

    def show_pictures(self, pictures: tuple[PictureFile, ...]) -> None:
        """List the files of a folder; the panel comes with the first ones, and goes with them where it came so."""
        had, has = self.gallery.folder is not None, bool(pictures)
        self.gallery.set_pictures(pictures)
        if has and not had and self._docks["gallery"].isHidden() and not self._window.isFullScreen():
            self._opened_gallery = True
            self._show("gallery", True)
        elif had and not has:
            self._close_gallery()

    def set_package(self, package: ModelPackage | None) -> None:
        """Tell which model is in use."""
        if package is not self._package and package is not None:
            self.faces.set_labels(package.labels)
            self.gallery.set_labels(package.labels)
        self._package = package
        self._show_package()

    def set_models(self, models: Sequence[ModelPackage]) -> None:
        """Tell which models there are, for the network view to compare."""
        self._models = models
        if self.network is not None:
            self.network.set_models(models)

    def set_privacy(self, privacy: PrivacyMode) -> None:
        """Show in the network view nothing while anything is to be hidden; pictures come hidden to the other panels."""
        self._privacy = privacy
        self.gallery.set_privacy(privacy)
        if self.network is not None:
            self.network.set_privacy(privacy)

    def set_gender(self, gender: bool) -> None:
        """Show perceived gender beside age, or age alone."""
        self._gender = gender
        if self.network is not None:
            self.network.set_gender(gender)

    def select(self, track_id: int | None) -> None:
        """Select a face."""
        self._selected = track_id
        self.faces.select(track_id)

    def clear(self) -> None:
        """Forget what was shown, for another source."""
        self.faces.clear()
        self.gallery.clear()
        self._close_gallery()
        self.statistics.clear()
        if self.network is not None:
            self.network.clear()

    def hide_all(self) -> None:
        """Hide the panels for a while, see `restore`."""
        self._hidden_layout = self._window.saveState()
        for dock in self._docks.values():
            dock.hide()

    def restore(self) -> None:
        """Show the panels again that `hide_all` hid."""
        if self._hidden_layout is not None:
            self._window.restoreState(self._hidden_layout)
            self._hidden_layout = None

    def close(self) -> None:
        """End what runs for a panel."""
        self.audience.end()
        self.gallery.end()
        if self.network is not None:
            self.network.end()

    def retranslate(self) -> None:
        """Name the docks after their actions."""
        for name, dock in self._docks.items():
            dock.setWindowTitle(self._actions[name].text())
            dock.widget().setAccessibleName(self._actions[name].text())

    def _add(self, name: str, widget: QWidget) -> None:
        dock = QDockWidget()
        dock.setObjectName(f"{name}Dock")
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable | QDockWidget.DockWidgetFeature.DockWidgetMovable
        )
        dock.setAllowedAreas(
            Qt.DockWidgetArea.RightDockWidgetArea
            | Qt.DockWidgetArea.LeftDockWidgetArea
            | Qt.DockWidgetArea.BottomDockWidgetArea
        )
        self._window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        self._docks[name] = dock
        action = self._actions[name]
        action.triggered.connect(lambda wanted: self._show(name, wanted))
        dock.toggleViewAction().toggled.connect(action.setChecked)
        dock.visibilityChanged.connect(lambda visible: self._on_visible(name, visible))

    def _show(self, name: str, wanted: bool) -> None:
        dock = self._docks[name]
        if not wanted and self._is_behind(dock):
            # Whoever asks for a panel that another one covers wants to see it.
            wanted = True
            self._actions[name].setChecked(True)
        dock.setVisible(wanted)
        if wanted:
            dock.raise_()
        self._fit_width()

    def _close_gallery(self) -> None:
        """Close the panel of pictures where a folder opened it."""
        if self._opened_gallery:
            self._opened_gallery = False
            self._docks["gallery"].hide()

    def _is_behind(self, dock: QDockWidget) -> bool:
        """Whether a panel is open, but covered by another one of its tabs."""
        return not dock.isHidden() and self._window.isVisible() and dock.visibleRegion().isEmpty()

    def _fit_width(self) -> None:
        """As wide as what is open needs."""
        shown = [name for name, dock in self._docks.items() if not dock.isHidden()]
        if shown:
            width = NETWORK_WIDTH if "network" in shown else PANEL_WIDTH
            self._window.resizeDocks([self._docks[shown[0]]], [width], Qt.Orientation.Horizontal)

    def _show_titles(self) -> None:
        """A panel among tabs needs no title of its own."""
        for dock in self._docks.values():
            tabbed = any(not other.isHidden() for other in self._window.tabifiedDockWidgets(dock))
            if tabbed == (dock.titleBarWidget() is None):
                dock.setTitleBarWidget(QWidget() if tabbed else cast(QWidget, None))
        for bar in self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            # Qt keeps the bar of a single tab, out of sight, and would let it take the keyboard.
            several = bar.count() > 1
            bar.setFocusPolicy(Qt.FocusPolicy.TabFocus if several else Qt.FocusPolicy.NoFocus)
            bar.setAccessibleName(tr("Panels"))

    def _on_visible(self, name: str, visible: bool) -> None:
        QTimer.singleShot(0, self, self._show_titles)
        if name != "network" or not visible:
            return
        if self.network is None:
            # Made when it is first opened: it costs nothing until then.
            from desktop_app.window.panels.network_view import NetworkView

            self.network = NetworkView()
            self.network.set_privacy(self._privacy)
            self.network.set_gender(self._gender)
            self.network.set_models(self._models)
            self.network.noted.connect(self.noted)
            self.network.closed.connect(self._docks["network"].close)
            self._docks["network"].setWidget(self.network)
            self.retranslate()
        self._show_package()

    def _show_package(self) -> None:
        if self.network is not None and self._package is not None and self._package is not self._shown_package:
            self._shown_package = self._package
            self.network.set_package(self._package)


def _follow(button: QPushButton, action: QAction) -> None:
    """Let a button with a text of its own do what an action does."""

    def show() -> None:
        button.setEnabled(action.isEnabled())
        button.setChecked(action.isChecked())
        button.setToolTip(action.toolTip())

    button.clicked.connect(action.trigger)
    action.changed.connect(show)
    show()


def _largest(rendered: RenderedFrame) -> int | None:
    """The id of the largest face that has a crop."""
    seen = [track for track in rendered.tracks if track.missed == 0 and track.id in rendered.crops]
    return max(seen, key=lambda track: track.detection.box.area).id if seen else None
