"""Corrections: what the user knows of the faces of still pictures, beside what the model says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.classification.label import Label
from desktop_app.vision.geometry import Box

SAME_FACE: Final = 0.5
"""Boxes that overlap so much (intersection over union) are of one face."""

Wanted = tuple[Literal["all", "age", "gender", "unsure", "corrected", "new"], int]
"""Which pictures are wanted; for an age group or a gender with its index."""
ALL: Final[Wanted] = ("all", 0)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the user says of a face.

    Attributes:
        age: name of the age group; None where nothing is said of it.
        gender: the perceived gender; None likewise.
    """

    age: str | None = None
    gender: str | None = None


@dataclass(frozen=True, slots=True)
class StillFace:
    """A face of a picture that stands alone.

    Attributes:
        path: the picture's file.
        box: in pixels of the picture, not mirrored.
        label: what the model says of it; None where it has said nothing.
        truth: what the user says of it.
    """

    path: Path
    box: Box
    label: Label | None
    truth: Truth = Truth()

    @property
    def is_corrected(self) -> bool:
        """Whether the user said anything of it."""
        return self.truth != Truth()


class StillFaces:
    """What is known of the pictures that were looked at. Not thread-safe.

    Attributes:
        changes: how often the user said something; another number, other corrections.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._faces: dict[Path, tuple[StillFace, ...]] = {}

    def __contains__(self, path: Path) -> bool:
        """Whether that picture was looked at."""
        return path in self._faces

    def see(self, path: Path, faces: Sequence[tuple[Box, Label | None]]) -> tuple[StillFace, ...]:
        """Take in what a picture shows; what the user said of a face stays with it.

        Args:
            path: the picture.
            faces: box and label of each.

        Returns:
            The faces, in that order.
        """
        known = list(self._faces.get(path, ()))
        seen = []
        for box, label in faces:
            same = max(known, key=lambda one: one.box.iou(box), default=None)
            if same is not None and same.box.iou(box) >= SAME_FACE:
                known.remove(same)
                seen.append(replace(same, box=box, label=label or same.label))
            else:
                seen.append(StillFace(path, box, label))
        # A face that was corrected and is not found this time is still true.
        self._faces[path] = (*seen, *(one for one in known if one.is_corrected))
        return tuple(seen)

    def correct(self, face: StillFace, truth: Truth) -> StillFace:
        """Note what the user says of a face; returns the face with it."""
        corrected = replace(face, truth=truth)
        self._faces[face.path] = tuple(
            corrected if one.box == face.box else one for one in self._faces.get(face.path, (face,))
        )
        self.changes += 1
        return corrected

    def faces(self, path: Path) -> tuple[StillFace, ...]:
        """The faces of a picture; none where it was not looked at."""
        return self._faces.get(path, ())

    def corrected(self) -> tuple[StillFace, ...]:
        """The faces that the user said something of, in the order of their pictures' names."""
        return tuple(one for path in sorted(self._faces) for one in self._faces[path] if one.is_corrected)

    def is_wanted(self, path: Path, wanted: Wanted) -> bool:
        """Whether a picture passes a filter; one that was not looked at passes none that asks for answers."""
        kind, index = wanted
        if kind == "all":
            return True
        if kind == "new":
            return path not in self._faces
        return any(_passes(face, kind, index) for face in self.faces(path))


def _passes(face: StillFace, kind: str, index: int) -> bool:
    if kind == "corrected":
        return face.is_corrected
    if face.label is None:
        return False
    if kind == "unsure":
        return bool(face.label.unsure)
    answer = face.label.age_answer if kind == "age" else face.label.gender_answer
    return answer is not None and index in answer.members


def confusion(pairs: Sequence[tuple[str, str]], classes: Sequence[str]) -> NDArray[np.int64]:
    """Counts of what is true (rows) against what was said (columns).

    Args:
        pairs: what is true and what was said; those of other classes are left out.
        classes: N names.

    Returns:
        N×N int64.
    """
    counts = np.zeros((len(classes), len(classes)), np.int64)
    places = {name: place for place, name in enumerate(classes)}
    for true, said in pairs:
        if true in places and said in places:
            counts[places[true], places[said]] += 1
    return counts


def age_pairs(faces: Sequence[StillFace]) -> list[tuple[str, str]]:
    """True and most probable age group of the faces of which both are known."""
    return list(_pairs((face.truth.age, face.label.age if face.label else None) for face in faces))


def gender_pairs(faces: Sequence[StillFace]) -> list[tuple[str, str]]:
    """True and most probable perceived gender of the faces of which both are known."""
    return list(_pairs((face.truth.gender, face.label.gender if face.label else None) for face in faces))


def _pairs(pairs: Iterator[tuple[str | None, str | None]]) -> Iterator[tuple[str, str]]:
    return ((true, said) for true, said in pairs if true and said)
