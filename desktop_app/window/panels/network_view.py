"""Network view: the demo of Levi and Hassner (2015) for the selected face, live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Signal, Slot
from PySide6.QtGui import QCloseEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.catalogue.manifest import Labels
from desktop_app.messages import Message
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, answer_age, answer_gender
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.vision.explanation.activations import Layer
from desktop_app.vision.explanation.explanation import Head, Occlusion
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.window.panels.face_card import probability_bars
from desktop_app.window.panels.figures import offer_figure
from desktop_app.window.panels.network_explorer import Explanation, NetworkExplorer, Request
from desktop_app.window.panels.network_page import NetworkPage
from desktop_app.window.panels.probability_bars import BarChart, align_labels
from desktop_app.window.style.translation import answer_share, answer_word, label_word, tr, translated

HEADS: Final[tuple[Head, Head]] = ("age", "gender")
LONGEST_RUN_S: Final = 1.0
"""The end of the view waits no longer than this for the network."""
LEAST_DROP: Final = 0.02
"""Losses of probability below this are not worth a statement."""


class NetworkView(QWidget):
    """Input, first filters, feature maps of a layer, probabilities and an occlusion map of one face.

    It has a network session and a thread of its own, which live only while it is visible: hidden or closed it costs
    nothing. In privacy mode it shows and keeps nothing, since crops and first maps show the face.

    Signals:
        closed: the window was closed by the user.
        noted: something was done: a sentence, and the file that was written or None.
    """

    closed = Signal()
    noted = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._package: ModelPackage | None = None
        self._crop: NDArray[np.uint8] | None = None
        self._track_id = 0
        self._label: Label | None = None
        self._privacy: PrivacyMode = "off"
        self._gender = True
        self._patch: tuple[float, float] | None = None
        self._models: Sequence[ModelPackage] = ()
        self._others: Sequence[ModelPackage] = ()
        self._layers: tuple[Layer, ...] = ()
        self._shown_occlusion: Occlusion | None = None
        self._problem: Message | None = None
        self._explorer: NetworkExplorer | None = None
        self._page = NetworkPage(self)
        self._page.heads.currentIndexChanged.connect(self._on_choice)
        self._page.layer_names.currentIndexChanged.connect(self._on_choice)
        self._page.hold.toggled.connect(self._on_choice)
        self._page.others.currentIndexChanged.connect(self._on_choice)
        self._page.input.pointed.connect(self._on_pointed)
        for figure in (
            self._page.input,
            self._page.heat,
            self._page.filters,
            self._page.maps,
            self._page.ages,
            self._page.genders,
            self._page.other_ages,
            self._page.other_genders,
        ):
            offer_figure(figure, figure.accessibleName, self.noted.emit)
        self.resize(1040, 720)
        self._retranslate()

    def set_package(self, package: ModelPackage | None) -> None:
        """Look into this model from now on."""
        if package is not self._package:
            self._package = package
            self._shown_occlusion = self._problem = None
            self._page.forget()
            self._offer_others()
            self._ask()

    def set_models(self, models: Sequence[ModelPackage]) -> None:
        """Offer these models, less the one in use, to be asked beside it."""
        self._models = models
        self._offer_others()

    def show_crop(self, track_id: int, crop: NDArray[np.uint8], label: Label | None) -> None:
        """Show this face; does nothing while the picture is held.

        Args:
            track_id: the face's number.
            crop: S×S×3 uint8, BGR, as the network gets it; nobody may write into it any more.
            label: what is shown for the face elsewhere, or None before the first answer.
        """
        held = self._page.hold.isChecked() or self._patch is not None
        if self._privacy != "off" or (held and self._crop is not None):
            return
        if crop is self._crop and label is self._label and track_id == self._track_id:
            return
        self._track_id, self._crop, self._label = track_id, crop, label
        if self.isVisible():
            self._ask()

    def clear(self) -> None:
        """No face is selected any more; a held picture stays."""
        if not self._page.hold.isChecked():
            self._crop, self._label = None, None
            self._ask()

    def set_privacy(self, privacy: PrivacyMode) -> None:
        """Show and keep nothing while anything is to be hidden."""
        self._privacy = privacy
        if privacy != "off":
            self._crop, self._label, self._shown_occlusion = None, None, None
            self._page.forget()
        self._ask()

    def set_gender(self, gender: bool) -> None:
        """Look at perceived gender, or at age alone."""
        if gender != self._gender:
            self._gender = gender
            self._page.set_gender(gender)
            self._ask()

    @property
    def is_running(self) -> bool:
        """Whether the view's thread is there."""
        return self._explorer is not None and self._explorer.is_alive

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Start the thread."""
        super().showEvent(event)
        self._ask()

    def end(self) -> None:
        """End the thread and wait for the network's run that it is in."""
        self._end_explorer(LONGEST_RUN_S)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """End the thread."""
        super().hideEvent(event)
        self._end_explorer()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Tell that the user closed the window."""
        super().closeEvent(event)
        self._end_explorer()
        self.closed.emit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    @property
    def _other(self) -> ModelPackage | None:
        chosen = self._page.others.currentIndex() - 1
        return self._others[chosen] if 0 <= chosen < len(self._others) else None

    def _offer_others(self) -> None:
        chosen = self._other
        used = self._package.name if self._package is not None else ""
        self._others = [one for one in self._models if one.name != used]
        place = self._others.index(chosen) + 1 if chosen in self._others else 0
        self._page.set_others([one.title for one in self._others], place)

    @property
    def _head(self) -> Head:
        return HEADS[max(self._page.heads.currentIndex(), 0)]

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Network view"))
        self.setAccessibleName(tr("Network view"))
        self._page.retranslate()
        self._ask()
        self._on_news()

    def _ask(self) -> None:
        """Hand what shall be seen to the thread, or say why nothing can be."""
        obstacle = self._obstacle()
        self._page.show_message(obstacle or self._problem_text())
        if obstacle or not self.isVisible():
            # A concealed or missing face needs no thread.
            self._end_explorer()
            return
        assert self._package is not None
        assert self._crop is not None
        if self._explorer is None:
            self._explorer = NetworkExplorer(self._on_news, self)
        names = [layer.name for layer in self._layers]
        index = self._page.layer_names.currentIndex()
        layer = names[index] if 0 <= index < len(names) else ""
        self._explorer.submit(
            Request(
                self._package,
                self._track_id,
                self._crop,
                self._head,
                layer,
                gender=self._gender,
                patch=self._patch,
                other=self._other,
            )
        )

    def _obstacle(self) -> str:
        if self._privacy != "off":
            return tr("Privacy mode hides faces, so the network view shows nothing.")
        if self._package is None:
            return tr("No model is in use yet.")
        if self._crop is None:
            return tr("No face to look at.\nSelect one in the picture or in the list of faces.")
        return ""

    def _end_explorer(self, wait_s: float = 0.0) -> None:
        if self._explorer is not None:
            self._explorer.close(wait_s)
            self._explorer = None

    @Slot(object)
    def _on_pointed(self, place: tuple[float, float] | None) -> None:
        """Cover that place of the crop, which stays as it is meanwhile."""
        if place != self._patch:
            self._patch = place
            self._ask()

    @Slot()
    def _on_choice(self) -> None:
        self._ask()

    @Slot()
    def _on_news(self) -> None:
        if self._explorer is None:
            return
        insight, self._problem = self._explorer.latest, self._explorer.problem
        self._page.show_message(self._problem_text())
        if insight is not None:
            self._show(insight)

    def _show(self, insight: Explanation) -> None:
        request, look = insight.request, insight.look
        if (request.package, request.head, request.gender) != (self._package, self._head, self._gender):
            return
        page = self._page
        page.title.setText(self._describe(request.track_id))
        page.model.setText(request.package.title)
        page.input.set_picture(look.seen)
        page.filters.set_tiles(insight.filters)
        page.maps.set_tiles(insight.maps)
        self._show_layers(insight)
        labels = request.package.labels
        _show_answer(page.ages, page.genders, look.prediction, labels)
        if request.other is not None and insight.other is not None:
            _show_answer(page.other_ages, page.other_genders, insight.other, request.other.labels)
        else:
            for chart in (page.other_ages, page.other_genders):
                chart.set_bars(())
        align_labels(page.ages, page.genders, page.other_ages, page.other_genders)
        names = _age_names(labels) if request.head == "age" else _gender_names(labels)
        page.answers_caption.setText(self._answer_text(insight, names))
        self._show_occlusion(insight, names)

    def _answer_text(self, insight: Explanation, names: Sequence[str]) -> str:
        request = insight.request
        if request.other is not None and insight.other is None:
            return tr("Cannot ask “{model}”: it does not load.", model=request.other.title)
        if request.patch is None:
            return tr("Answer for this crop alone")
        before, after = (
            answer.age if request.head == "age" else answer.gender
            for answer in (insight.uncovered, insight.look.prediction)
        )
        index = int(before.argmax())
        return tr(
            "With the patch: {name} {before} → {after}",
            name=names[index],
            before=f"{before[index]:.0%}",
            after=f"{after[index]:.0%}",
        )

    def _describe(self, track_id: int) -> str:
        label = self._label
        if label is None:
            return f"#{track_id}"
        return "  ·  ".join(
            (f"#{track_id}", *(f"{answer_word(one)} {answer_share(one)}".strip() for one in label.answers))
        )

    def _show_layers(self, insight: Explanation) -> None:
        if insight.layers != self._layers:
            self._layers = insight.layers
            self._page.set_layers(insight.layers, insight.layer)
        shown, total = self._page.maps.count, insight.look.maps.shape[0]
        name = insight.layer.name if insight.layer is not None else ""
        self._page.maps_caption.setText(
            tr("{layer}, rectified: {shown} of {total} maps", layer=name, shown=shown, total=total)
        )
        self._page.filters_caption.setText(
            tr("First filters: {shown} of {total}", shown=self._page.filters.count, total=len(insight.filters))
        )

    def _show_occlusion(self, insight: Explanation, names: Sequence[str]) -> None:
        occlusion = insight.occlusion
        if occlusion is None:
            self._page.heat.set_picture(None)
            self._page.explanation.setText("")
        else:
            if occlusion is not self._shown_occlusion:
                self._page.heat.set_picture(insight.heat)
            name = names[occlusion.index]
            sentences = self._explain(occlusion, name), self._contrast(name, occlusion.index)
            self._page.explanation.setText(" ".join(filter(None, sentences)))
        self._shown_occlusion = occlusion

    def _problem_text(self) -> str:
        return translated(self._problem) if self._problem else ""

    def _explain(self, occlusion: Occlusion, name: str) -> str:
        largest = float(occlusion.drop.max())
        if largest < LEAST_DROP:
            return tr("The answer {name} rests on no single place.", name=name)
        return tr(
            "With the strongest orange place covered, {name} falls from {before} to {after}.",
            name=name,
            before=f"{occlusion.probability:.0%}",
            after=f"{occlusion.probability - largest:.0%}",
        )

    def _contrast(self, name: str, index: int) -> str:
        """What to say where one crop's answer is not the label, so that neither looks like a mistake."""
        if self._label is None:
            return ""
        answer = self._label.age_answer if self._head == "age" else self._label.gender_answer
        if answer is None or index in answer.members:
            return ""
        return tr(
            "The label {label} is the average of many crops; this one alone says {name}.",
            label=answer_word(answer),
            name=name,
        )


def _age_names(labels: Labels) -> list[str]:
    return [readable_age(age.name) for age in labels.ages]


def _gender_names(labels: Labels) -> list[str]:
    return [label_word(name) for name in labels.genders]


def _show_answer(ages: BarChart, genders: BarChart, answer: Prediction, labels: Labels) -> None:
    """The probabilities of one model."""
    ages.set_bars(probability_bars(_age_names(labels), answer.age, answer_age(answer.age, labels.ages).members))
    seen = answer_gender(answer.gender, labels.genders).members if len(answer.gender) else ()
    genders.set_bars(probability_bars(_gender_names(labels), answer.gender, seen) if len(answer.gender) else ())
