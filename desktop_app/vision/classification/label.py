"""What is said of a face, from averaged probabilities: the only place where that is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.messages import Language, Message
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.years import Years, estimate_years

SURE_GENDER: Final = 0.6
"""A gender that is less probable is shown as unsure."""
SURE_AGE: Final = 0.35
"""An age group that is less probable is shown as unsure: as a span of groups."""
SPAN: Final = 0.6
"""So probable is a span of age groups at the least: a clear majority."""
UNKNOWN: Final = "?"
"""Shown where nothing narrower than all classes can be said."""
LABEL_WORDS: Final = (Message("Male"), Message("Female"))
"""The labels of models that have translations; tables keep the model's own."""
_DECIMALS: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What averaged probabilities say of a face's age or of its gender.

    Attributes:
        leader: name of the most probable class.
        confidence: probability of that class, 0 to 1.
        shown: what to show: the leader; where that is unsure a span of age groups such as "20-39", or "?".
        share: probability of what is shown, 0 to 1; None for "?", which claims nothing.
        members: indices of the classes that are shown; none for "?".
    """

    leader: str
    confidence: float
    shown: str
    share: float | None
    members: tuple[int, ...]

    @property
    def unsure(self) -> bool:
        """Whether something else than the most probable class is shown."""
        return len(self.members) != 1


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of one face.

    Attributes:
        age_answer: the age group, or the span of groups where that is unsure.
        gender_answer: the perceived gender; None where gender is not computed.
        years: the expected age and a range of ages.
        prediction: the averaged probabilities that both are made from, float32.
        classes: what these are the probabilities of.
        updated_at: moment of the newest prediction, in seconds.
        samples: number of predictions that were taken in.
    """

    age_answer: Answer
    gender_answer: Answer | None
    years: Years
    prediction: Prediction
    classes: Labels
    updated_at: float
    samples: int

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The age group, and the perceived gender where that is computed."""
        return (self.age_answer, *([self.gender_answer] if self.gender_answer else []))

    @property
    def age(self) -> str:
        """Name of the most probable age group, as in the model's manifest."""
        return self.age_answer.leader

    @property
    def age_confidence(self) -> float:
        """Probability of that age group, 0 to 1."""
        return self.age_answer.confidence

    @property
    def gender(self) -> str:
        """Name of the most probable perceived gender; empty where gender is not computed."""
        return "" if self.gender_answer is None else self.gender_answer.leader

    @property
    def gender_confidence(self) -> float:
        """Probability of that gender, 0 to 1; 0 where gender is not computed."""
        return 0.0 if self.gender_answer is None else self.gender_answer.confidence

    @property
    def unsure(self) -> str:
        """What is shown as unsure: "age", "gender", "age gender", or ""."""
        answers = (("age", self.age_answer), ("gender", self.gender_answer))
        return " ".join(name for name, answer in answers if answer is not None and answer.unsure)


def translated_label(name: str, language: Language) -> str:
    """A label of a model in some language, or the label itself."""
    return next((language.say(word) for word in LABEL_WORDS if word.template == name), name)


def make_label(prediction: Prediction, labels: Labels, *, updated_at: float = 0.0, samples: int = 1) -> Label:
    """The label that averaged probabilities stand for.

    Args:
        prediction: the averaged probabilities; none for gender where that is not computed.
        labels: names of the classes, in the order of the probabilities.
        updated_at: moment of the newest prediction in them, in seconds.
        samples: number of predictions in them.
    """
    return Label(
        answer_age(prediction.age, labels.ages),
        answer_gender(prediction.gender, labels.genders) if len(prediction.gender) else None,
        estimate_years(prediction.age, labels.ages),
        prediction,
        labels,
        updated_at,
        samples,
    )


def without_gender(label: Label) -> Label:
    """The label with nothing in it about gender, as if that had not been computed."""
    prediction = Prediction(label.prediction.age, np.zeros(0, np.float32))
    return replace(label, gender_answer=None, prediction=prediction)


def answer_age(probabilities: NDArray[np.float32], ages: Sequence[AgeLabel]) -> Answer:
    """What to say of an age: the most probable group, or a span where that one's probability is below `SURE_AGE`.

    The span is the smallest run of adjoining groups that holds the leader and reaches `SPAN`, of several as small the
    most probable one. A span of all groups says nothing: that is "?".

    Args:
        probabilities: float32, one an age group, that sum to 1.
        ages: the groups, from young to old.
    """
    best, confidence = _leader(probabilities)
    name = ages[best].name
    if round(confidence, _DECIMALS) >= SURE_AGE:
        return Answer(name, confidence, name, confidence, (best,))
    first, last = _smallest_run(probabilities, best)
    if last - first + 1 == len(ages):
        return Answer(name, confidence, UNKNOWN, None, ())
    share = float(probabilities[first : last + 1].sum())
    return Answer(name, confidence, _name_span(ages[first], ages[last]), share, tuple(range(first, last + 1)))


def answer_gender(probabilities: NDArray[np.float32], genders: Sequence[str]) -> Answer:
    """What to say of a gender: the most probable one, or "?" where its probability is below `SURE_GENDER`.

    Args:
        probabilities: float32, one a gender, that sum to 1.
        genders: their names.
    """
    best, confidence = _leader(probabilities)
    if round(confidence, _DECIMALS) >= SURE_GENDER:
        return Answer(genders[best], confidence, genders[best], confidence, (best,))
    return Answer(genders[best], confidence, UNKNOWN, None, ())


def _leader(probabilities: NDArray[np.float32]) -> tuple[int, float]:
    best = int(np.argmax(probabilities))
    return best, float(probabilities[best])


def _smallest_run(probabilities: NDArray[np.float32], best: int) -> tuple[int, int]:
    """First and last index of the groups that are shown together where the most probable one is unsure."""
    count = len(probabilities)
    for length in range(2, count):
        runs = [
            (first, first + length - 1) for first in range(max(best - length + 1, 0), min(best, count - length) + 1)
        ]
        share, run = max(((float(probabilities[first : last + 1].sum()), (first, last)) for first, last in runs))
        if share >= SPAN:
            return run
    return 0, count - 1


def _name_span(first: AgeLabel, last: AgeLabel) -> str:
    return f"{first.low}+" if last.high is None else f"{first.low}-{last.high}"
