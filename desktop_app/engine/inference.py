"""Inference thread: loads models, gathers crops and has the pipeline classify them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from desktop_app.catalogue.catalogue import ModelChoice, ModelPackage
from desktop_app.engine.analysis import CropSpec
from desktop_app.engine.bounded_queue import BoundedQueue, ChannelClosedError
from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.types import CropBatch
from desktop_app.engine.worker import Worker
from desktop_app.errors import AgelensError, reason_of
from desktop_app.messages import Message
from desktop_app.thread_priority import work_in_background
from desktop_app.vision.classification.classifier import Classifier

log = logging.getLogger(__name__)

QUEUE_CAPACITY: Final = 4
"""Frames' worth of crops that may wait: more would only be older."""
FORGET_AFTER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """What runs now.

    Attributes:
        package: the model; None until the first one is loaded.
        provider: the execution provider; empty until then.
        spec: the crops it wants; None until then.
        notice: what there is to say of a fall-back or of a choice that failed.
    """

    package: ModelPackage | None = None
    provider: str = ""
    spec: CropSpec | None = None
    notice: Message | None = None


class InferenceWorker(Worker):
    """Owns the classifier: created, used and dropped on this thread.

    Args:
        choice: the model to start with.
        pipeline: gets the answers, on this thread.
        on_labels: called on this thread when new labels are published.
        on_model: called on this thread with a new `model`.
        on_end: called on this thread when it is over.
    """

    def __init__(
        self,
        choice: ModelChoice,
        *,
        pipeline: FacePipeline,
        on_labels: Callable[[], None],
        on_model: Callable[[ModelInUse], None],
        on_end: Callable[[Worker], None] | None = None,
    ) -> None:
        super().__init__("inference", on_end=on_end)
        self.crops: BoundedQueue[CropBatch] = BoundedQueue(QUEUE_CAPACITY)
        self.model = ModelInUse()
        self._pipeline = pipeline
        self._on_labels, self._on_model = on_labels, on_model
        self._choice_lock = threading.Lock()
        self._choice: ModelChoice | None = choice
        pipeline.show_gender(choice.gender)
        self._classifier: Classifier | None = None
        self._in_use = choice
        self._failed = False

    def choose(self, choice: ModelChoice) -> None:
        """Run another model from the next batch on; the present one stays in use if that fails."""
        with self._choice_lock:
            self._choice = choice
            # At once: what was known of gender must not stand in a table while the other network loads.
            self._pipeline.show_gender(choice.gender)
        self._on_labels()

    def stop(self) -> None:
        """Ask the worker to end; crops that wait are left."""
        super().stop()
        self.crops.close()

    def run(self) -> None:
        """Classify until stopped."""
        # No frame waits for labels: on two cores, those that looked at it now and then stood in its way.
        work_in_background()
        try:
            while not self.stopping.is_set():
                self._load_choice()
                try:
                    first = self.crops.get(timeout_s=0.25)
                except ChannelClosedError:
                    break
                if first is not None and self._classifier is not None:
                    self._classify([first, *self.crops.drain()])
        finally:
            # Released now: the session may be kept, and queried, for long.
            self._classifier = None
            self.crops.drain()

    def _load_choice(self, *, notice: Message | None = None) -> None:
        """Load the newest choice, if there is one; `notice` is the message about an earlier choice."""
        with self._choice_lock:
            choice, self._choice = self._choice, None
        if choice is None:
            return
        try:
            classifier = Classifier.of(choice)
        except Exception as error:
            # A model can raise anything: the one in use continues.
            self._keep_running_without(choice, notice or _sentence(error))
            return
        self._classifier, self._in_use = classifier, choice
        self._failed = False
        self._pipeline.use_labels(classifier.labels)
        self.model = ModelInUse(
            classifier.package,
            classifier.provider,
            CropSpec.of(classifier),
            _used_instead(notice, classifier) if notice else classifier.notice,
        )
        self._on_model(self.model)
        self._on_labels()

    def _keep_running_without(self, choice: ModelChoice, reason: Message) -> None:
        """Report why a choice failed; where nothing runs yet, load the default instead."""
        default = ModelChoice(gender=choice.gender)
        if self._classifier is None and choice != default:
            with self._choice_lock:
                self._choice = self._choice or default
            # Published together with the model that runs instead, so that the reason is never missing.
            self._load_choice(notice=reason)
            return
        notice = _used_instead(reason, self._classifier) if self._classifier is not None else reason
        self.model = replace(self.model, notice=notice)
        self._on_model(self.model)

    def _classify(self, batches: list[CropBatch]) -> None:
        classifier = self._classifier
        if classifier is None:
            return
        generation = batches[-1].generation
        size = classifier.crop_size
        batches = [one for one in batches if one.generation == generation and one.crops.shape[1] == size]
        if not batches:
            return
        try:
            predictions = self._pipeline.classify(batches, classifier)
        except Exception as error:
            self._recover(_sentence(error))
            return
        self._failed = False
        self._pipeline.take(batches, predictions)
        now = batches[-1].captured_at
        labels = self._pipeline.labels
        self._pipeline.keep({one for one, label in labels.items() if now - label.updated_at < FORGET_AFTER_S})
        self._on_labels()

    def _recover(self, reason: Message) -> None:
        """Continue after a network failed: on the CPU, or with the next faces; old labels are dropped."""
        if self._pipeline.labels:
            # Not otherwise: a picture that stands still would be drawn, and its faces asked about, again and again.
            self._pipeline.clear_labels()
            self._on_labels()
        if self._failed:
            # Said once, however many faces it fails on.
            return
        self._failed = True
        self.model = replace(self.model, notice=reason)
        self._on_model(self.model)
        if self.model.provider != "cpu":
            with self._choice_lock:
                self._choice = self._choice or replace(self._in_use, provider="cpu")
            self._load_choice(notice=reason)


def _sentence(error: Exception) -> Message:
    """The message of an error that ended no thread."""
    if isinstance(error, AgelensError):
        return error.message
    log.exception("unforeseen", exc_info=error)
    kind = type(error).__name__
    return Message(
        "Cannot classify faces: {reason} ({kind}). Choose another model, and report it.",
        reason=reason_of(error),
        kind=kind,
    )


def _used_instead(reason: Message, classifier: Classifier) -> Message:
    return Message("{reason} Until then “{model}” is used.", reason=reason, model=classifier.package.title)
