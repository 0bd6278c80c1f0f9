"""What the network view computes, on a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.vision.classification.classifier import Classifier, Prediction
from desktop_app.vision.explanation.activations import Layer
from desktop_app.vision.explanation.explanation import Activations, Explainer, Head, Occlusion, cover
from desktop_app.vision.face_alignment import with_margin
from desktop_app.window.background import Background
from desktop_app.window.panels.tiles import heat_picture, map_pictures

LOOK_INTERVAL_S: Final = 0.15
OCCLUSION_INTERVAL_S: Final = 2.0
OCCLUSION_REST: Final = 2.0
"""After a heat map, the thread rests at least this many times as long as it took: it shall not take a core."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What the view wants to see.

    Attributes:
        package: the model to look into.
        track_id: whose crop it is.
        crop: S×S×3 uint8, BGR; nobody writes into it any more.
        head: whether age or gender is explained.
        layer: short name of the layer whose maps are wanted; "" for the first.
        gender: whether perceived gender may be computed.
        patch: where the crop is covered, x and y from 0 to 1; None for nowhere.
        other: a model that is asked about the same face; None for none.
    """

    package: ModelPackage
    track_id: int
    crop: NDArray[np.uint8]
    head: Head
    layer: str
    gender: bool = True
    patch: tuple[float, float] | None = None
    other: ModelPackage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What came of the newest request.

    Attributes:
        request: which one.
        layers: all layers with maps on the way to the head.
        layer: the layer of `look.maps`; None where the network has none.
        filters: of the first convolution, N×rows×columns×3 uint8, BGR.
        look: input, answer and maps, with the patch where there is one.
        uncovered: the answer without the patch.
        other: what the other model answers; None without one, or where it cannot be asked.
        maps: pictures of the first maps, see `map_pictures`.
        occlusion: the newest heat map of this face and head, None before the first.
        occluded: the crop of that heat map.
        heat: the picture of that heat map, see `heat_picture`.
    """

    request: Request
    layers: tuple[Layer, ...]
    layer: Layer | None
    filters: NDArray[np.uint8]
    look: Activations
    uncovered: Prediction
    other: Prediction | None
    maps: NDArray[np.uint8]
    occlusion: Occlusion | None
    occluded: NDArray[np.uint8] | None
    heat: NDArray[np.uint8] | None


class NetworkExplorer:
    """Answers the newest request on a thread of its own, until it is closed.

    The heat map takes many runs of the network; the crops that come meanwhile are looked at between them. Request and
    answer are slots, not queues: the newest wins.

    Args:
        on_news: called on the GUI thread when `latest` or `problem` changed.
        parent: whose end is the end of the calls.
    """

    def __init__(self, on_news: Callable[[], None], parent: QObject) -> None:
        self._on_news = on_news
        self._background = Background("network-view", parent)
        self._request: Request | None = None
        self._latest: Explanation | None = None
        self._problem: Message | None = None
        self._explainer: Explainer | None = None
        self._classifier: Classifier | None = None
        self._broken: ModelPackage | None = None
        self._occlude_at = 0.0

    def close(self, wait_s: float = 0.0) -> None:
        """Let the thread end after the run it is in, and wait so long for that."""
        self._background.close()
        self._background.join(wait_s)
        self._background.deleteLater()

    def submit(self, request: Request) -> None:
        """Ask for something newer."""
        self._request = request
        self._background.submit(lambda: self._answer(request), failed=self._on_failed, newest=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._background.is_alive

    @property
    def latest(self) -> Explanation | None:
        """The newest answer."""
        return self._latest

    @property
    def problem(self) -> Message | None:
        """Why the model of the newest request cannot be looked into."""
        return self._problem

    def _answer(self, request: Request) -> None:
        """Look at a crop, and explain it once the thread has rested enough; on the thread."""
        started_at = time.monotonic()
        # It may have been looked at already, between the runs of the last heat map.
        looked = self._latest is not None and self._latest.request is request
        if request.package is self._broken or not (looked or self._look(request)):
            return
        explained = self._latest is not None and self._latest.occluded is request.crop
        rest_s = self._occlude_at - time.monotonic()
        if not explained and (rest_s <= 0 or not self._background.wait_for_newer(rest_s)):
            self._occlude(request)
        # Crops come faster than anyone can look at them.
        self._background.wait_for_close(started_at + LOOK_INTERVAL_S - time.monotonic())

    def _look(self, request: Request) -> bool:
        """Look at one crop and publish; False where the model cannot be looked into."""
        try:
            explainer = self._open(request.package, gender=request.gender)
        except AgelensError as error:
            self._broken = request.package
            self._publish(None, error.message)
            return False
        layers = explainer.layers(request.head)
        layer = next((one for one in layers if one.name == request.layer), layers[0] if layers else None)
        crop = request.crop if request.patch is None else cover(request.crop, *request.patch)
        look = explainer.look(crop, request.head, layer)
        uncovered = look if request.patch is None else explainer.look(request.crop, request.head)
        before = self._latest
        kept = before if before is not None and _same_question(before.request, request) else None
        if kept is None:
            self._occlude_at = 0.0
        self._publish(
            Explanation(
                request=request,
                layers=layers,
                layer=layer,
                filters=explainer.filters(request.head),
                look=look,
                uncovered=uncovered.prediction,
                other=self._ask_other(request, crop),
                # Here rather than where they are shown: it takes long enough for the picture to stutter.
                maps=map_pictures(look.maps),
                occlusion=kept.occlusion if kept is not None else None,
                occluded=kept.occluded if kept is not None else None,
                heat=kept.heat if kept is not None else None,
            )
        )
        return True

    def _open(self, package: ModelPackage, *, gender: bool) -> Explainer:
        explainer = self._explainer
        if explainer is None or explainer.package is not package or explainer.gender != gender:
            # Freed before the next one is made.
            self._explainer = explainer = None
            self._explainer = explainer = Explainer(package, gender=gender)
        return explainer

    def _ask_other(self, request: Request, crop: NDArray[np.uint8]) -> Prediction | None:
        """What another model says of the same crop, which is cut as that model wants it."""
        package = request.other
        if package is None or package is self._broken:
            self._classifier = None
            return None
        try:
            if self._classifier is None or self._classifier.package is not package:
                self._classifier = None
                self._classifier = Classifier(package, provider="cpu", threads=1)
            fitted = with_margin(crop, request.package.input.margin, package.input.margin, package.input.size)
            return self._classifier.classify(fitted[None])[0]
        except AgelensError:
            # Not worth the loss of the first model's pictures: the view says that there is no answer.
            return None

    def _occlude(self, request: Request) -> None:
        assert self._explainer is not None
        started_at = time.monotonic()
        occlusion = self._explainer.occlude(request.crop, request.head, go_on=lambda: self._go_on(request))
        took_s = time.monotonic() - started_at
        latest = self._latest
        if occlusion is None or latest is None or not _same_question(latest.request, request):
            return
        self._occlude_at = time.monotonic() + max(OCCLUSION_INTERVAL_S, took_s * OCCLUSION_REST)
        heat = heat_picture(request.crop, occlusion.drop)
        self._publish(replace(latest, occlusion=occlusion, occluded=request.crop, heat=heat))

    def _go_on(self, occluded: Request) -> bool:
        """Between the runs of a heat map: look at what came meanwhile; False where something else is asked."""
        newest, latest = self._request, self._latest
        if self._background.is_closed or newest is None or not _same_question(newest, occluded):
            return False
        if latest is not None and latest.request is not newest:
            return self._look(newest)
        return True

    def _on_failed(self, _message: Message) -> None:
        # A defect: what it is stands in the log.
        self._latest = None
        self._problem = Message(
            "Cannot show the network: Agelens has a defect. Close the network view and open it again."
        )
        self._on_news()

    def _publish(self, latest: Explanation | None, problem: Message | None = None) -> None:
        self._latest, self._problem = latest, problem
        self._background.call_back(self._on_news)


def _same_question(one: Request, other: Request) -> bool:
    return (one.package, one.track_id, one.head, one.gender) == (
        other.package,
        other.track_id,
        other.head,
        other.gender,
    )
