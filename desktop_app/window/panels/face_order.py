"""Which faces are listed, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from desktop_app.window.panels.face_list import Face

SortKey = Literal["time", "age", "gender"]
Filter = tuple[Literal["all", "age", "gender", "unsure", "stayed"], int]
"""What faces must be to be listed; for an age group or a gender with its index."""

EVERYONE: Final[Filter] = ("all", 0)
UNSURE: Final[Filter] = ("unsure", 0)
STAYED: Final[Filter] = ("stayed", 0)
STAYED_S: Final = 10.0
"""So long is a face in view that stayed."""
MOST_ROWS: Final = 200
"""The list grows to no more rows while it is held still."""

_LAST: Final = float("inf")


def is_wanted(face: Face, wanted: Filter) -> bool:
    """Whether a face passes a filter; one without an answer passes none that asks for one."""
    kind, index = wanted
    if kind == "age":
        return index in face.shown_ages
    if kind == "gender":
        return index in face.shown_genders
    if kind == "unsure":
        return bool(face.age) and (len(face.shown_ages) != 1 or (bool(face.gender) and not face.shown_genders))
    return kind == "all" or face.seen_s >= STAYED_S


def sort_value(face: Face, key: SortKey) -> float:
    """What faces are sorted by: the youngest first, or by gender; those without an answer last."""
    if key == "age":
        return sum(face.shown_ages) / len(face.shown_ages) if face.shown_ages else _LAST
    if key == "gender":
        return float(face.shown_genders[0]) if face.shown_genders else _LAST
    return 0.0


def arrange(faces: Sequence[Face], values: Mapping[int, float]) -> list[Face]:
    """The faces by their values; those with the same one as they came into view."""
    return sorted(faces, key=lambda face: (values[face.id], face.id))


def hold_still(rows: Sequence[Face], faces: Sequence[Face], wanted: Sequence[Face]) -> list[Face]:
    """The rows of a list that someone is pointing at: each stays where it is, what is new comes last.

    Args:
        rows: what is listed now.
        faces: all faces in view.
        wanted: those that pass the filter, in order.
    """
    present, listed = {face.id: face for face in faces}, {face.id for face in rows}
    kept = [present.get(face.id) or face.as_gone() for face in rows]
    return [*kept, *(face for face in wanted if face.id not in listed)][:MOST_ROWS]
