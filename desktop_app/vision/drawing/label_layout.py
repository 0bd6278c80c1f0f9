"""Label layout: where the labels of faces lie, in which form, and how that stays calm from frame to frame."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from desktop_app.vision.geometry import Box

FITTING: Final = 1.3
"""A label may be so many times as wide as its face's box; a wider one takes a shorter form."""
GROWING: Final = 1.2
"""A label takes a longer form again where its face has so many times the room for it: boxes tremble."""
ALIKE: Final = 0.7
"""A face is of about the size of a larger one from so many times its width on."""
HELD_S: Final = 1.0
"""So long a label keeps its side, and grows into no longer form."""
INSIDE_SHARE: Final = 0.5
"""A label on its own face takes no more than this share of the box's height."""
FARTHEST: Final = 4
"""Rows between a face and a label that found no place beside it."""

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
Size = tuple[int, int]
"""Width and height in pixels."""

# Slots: above and below with the left edge, the right edge or the middle in line with the box, right, left; on the
# face itself; then those with a line to the face, row by row.
_BESIDE: Final = 8
_NARROW: Final = (0, 1, 2, 3, 4, 5, 6, 7)
_WIDE: Final = (2, 0, 1, 5, 3, 4, 6, 7)
_INSIDE: Final = 12
_DIRECTIONS: Final = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))
_AWAY: Final = _INSIDE + len(_DIRECTIONS) * FARTHEST
_LINE_SAMPLES: Final = 9
_SIDES: Final = (
    (0, 1, 2),
    (3, 4, 5),
    (6,),
    (7,),
    (8, 9),
    (10, 11),
    *(tuple(range(_INSIDE + number, _AWAY, len(_DIRECTIONS))) for number in range(len(_DIRECTIONS))),
)
"""Slots on the same side of a face."""
_SIDE_OF: Final = {slot: number for number, slots in enumerate(_SIDES) for slot in slots}


@dataclass(frozen=True, slots=True)
class Request:
    """A label that wants a place.

    Attributes:
        track_id: whose it is.
        box: the face's box in pixels; it may reach beyond the picture.
        forms: sizes of the label, from its longest form to its shortest.
        widths: of the forms with the widest words. They decide which form a face has room for: faces of one size have
            labels of one form, and a label keeps its form while its words change.
        whole: take the longest form that finds a place, however wide.
    """

    track_id: int
    box: Box
    forms: tuple[Size, ...]
    widths: tuple[int, ...]
    whole: bool = False

    def first_form(self, kept: int | None) -> int:
        """The longest form that the face has room for, given the one that it has."""
        if self.whole:
            return 0
        for form, width in enumerate(self.widths):
            grows = kept is not None and form < kept
            if width * (GROWING if grows else 1.0) <= FITTING * self.box.width:
                return form
        return len(self.forms) - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label lies.

    Attributes:
        form: which of its forms is drawn.
        x: left edge in pixels.
        y: top edge in pixels.
        leader: ends of the line from the label to its face's box, where it lies apart from it.
    """

    form: int
    x: int
    y: int
    leader: tuple[float, float, float, float] | None = None


class _Kept(NamedTuple):
    slot: int
    form: int
    since: float

    def stays(self, slot: int, form: int) -> bool:
        """Whether a label in that slot is on the same side as before, and no longer."""
        return _SIDE_OF[self.slot] == _SIDE_OF[slot] and self.form <= form


class LabelPlaces:
    """Remembers from frame to frame where the labels lie; one for each sequence of pictures. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, _Kept] = {}
        self._at = -math.inf

    def lay_out(
        self,
        picture: Size,
        requests: Sequence[Request],
        faces: Sequence[Box],
        *,
        gap: int = 4,
        taken: Sequence[Edges] = (),
        at: float = 0.0,
    ) -> dict[int, Place]:
        """Find places inside the picture, on no other label and on no other face.

        A label goes above its face, else below or beside it, else onto its own face, else to where a line leads to
        it; in each of these a shorter form is tried before the next. It stays on its side for a second, within which
        it may become shorter or, where even that does not help, be left out; after that it stays while there is
        nothing better. While the time stands still it is free to move.

        Args:
            picture: width and height.
            requests: the labels, the most important ones first.
            faces: boxes of all faces, those of the requests among them.
            gap: pixels between a face's box and its label.
            taken: rectangles that labels keep off.
            at: the picture's time in seconds.

        Returns:
            The places by track id; a label that finds none is not in it.
        """
        with self._lock:
            stands = at == self._at
            self._at = at
            layout = _Layout(picture, faces, gap, taken)
            places: dict[int, Place] = {}
            kept: dict[int, _Kept] = {}
            held = {
                one.track_id: known
                for one in requests
                if (known := self._kept.get(one.track_id)) is not None and not stands and 0 <= at - known.since < HELD_S
            }
            first = self._first_forms(requests)
            # Those that may not move choose first.
            for one in sorted(requests, key=lambda one: one.track_id not in held):
                known = self._kept.get(one.track_id)
                found = layout.choose(one, first[one.track_id], known, is_held=one.track_id in held)
                if found is None:
                    if one.track_id in held:
                        kept[one.track_id] = held[one.track_id]
                    continue
                slot, place = found
                places[one.track_id] = place
                kept[one.track_id] = _Kept(slot, place.form, at)
                if known is not None and known.since <= at and known.stays(slot, place.form):
                    kept[one.track_id] = _Kept(slot, place.form, known.since)
            self._kept = kept
            return places

    def _first_forms(self, requests: Sequence[Request]) -> dict[int, int]:
        """The longest form that each label may take, by track id."""
        first: dict[int, int] = {}
        narrow = 0.0
        for one in requests:
            known = self._kept.get(one.track_id)
            first[one.track_id] = one.first_form(known.form if known is not None else None)
            if first[one.track_id]:
                narrow = max(narrow, one.box.width)
        for one in requests:
            if not (first[one.track_id] or one.whole) and ALIKE * one.box.width <= narrow:
                first[one.track_id] = min(1, len(one.forms) - 1)
        return first


class _Layout:
    """The labels of one picture."""

    def __init__(self, picture: Size, faces: Sequence[Box], gap: int, taken: Sequence[Edges]) -> None:
        self._picture, self._gap = picture, gap
        self._faces = [(face.x, face.y, face.right, face.bottom) for face in faces]
        self._taken = list(taken)

    def choose(self, request: Request, first: int, kept: _Kept | None, *, is_held: bool) -> tuple[int, Place] | None:
        """Take the best free place, in no longer form than the first; returns its slot with it."""
        box = request.box
        if is_held and kept is not None:
            first = max(first, min(kept.form, len(request.forms) - 1))
        own = _clipped(box, self._picture)
        if own is None:
            return None
        whole = (box.x, box.y, box.right, box.bottom)
        others = [face for face in self._faces if face != whole]
        near = _Near(own, request.forms[first:], self._gap, others, self._taken)
        for form, slots in self._plan(first, request.forms, own, kept if is_held else None):
            width, height = request.forms[form]
            if width > self._picture[0] or height > self._picture[1]:
                continue
            if kept is not None and kept.slot in slots:
                slots = [kept.slot, *(slot for slot in slots if slot != kept.slot)]
            for slot in slots:
                x, y = _position(slot, (width, height), own, self._picture, self._gap)
                if is_held:
                    # Rather onto its own face than out of the picture.
                    x, y = min(max(x, 0), self._picture[0] - width), min(max(y, 0), self._picture[1] - height)
                if not (0 <= x <= self._picture[0] - width and 0 <= y <= self._picture[1] - height):
                    continue
                edges = (x, y, x + width, y + height)
                if not near.is_free(edges):
                    continue
                leader = None
                if slot >= _INSIDE:
                    leader = _leader(edges, own)
                    if not near.is_clear(leader):
                        continue
                self._taken.append(edges)
                return slot, Place(form, x, y, leader)
        return None

    def _plan(
        self, first: int, forms: Sequence[Size], own: Edges, held: _Kept | None
    ) -> Iterator[tuple[int, Sequence[int]]]:
        """The forms and slots to try, best first."""
        numbers = range(first, len(forms))
        if held is not None:
            yield from ((form, _SIDES[_SIDE_OF[held.slot]]) for form in numbers)
            return
        # A label that is wider than its face stands in the middle of it rather than to one side.
        yield from ((form, _NARROW if forms[form][0] <= own[2] - own[0] else _WIDE) for form in numbers)
        room = own[3] - own[1]
        yield from (
            (form, range(_BESIDE, _INSIDE))
            for form in numbers
            if forms[form][1] <= INSIDE_SHARE * room and forms[form][0] <= own[2] - own[0]
        )
        yield from ((form, range(_INSIDE, _AWAY)) for form in numbers)


class _Near:
    """What a label could collide with."""

    def __init__(
        self, own: Edges, forms: Sequence[Size], gap: int, faces: Sequence[Edges], taken: Sequence[Edges]
    ) -> None:
        width, height = max(one[0] for one in forms), max(one[1] for one in forms)
        self._beside = _grown(own, width + gap, height + gap)
        rows = (FARTHEST + 1) * (height + gap)
        self._away = _grown(own, width + gap + rows, rows)
        self._faces, self._plates = faces, taken
        self._few = _touching(self._beside, (*faces, *taken))
        self._many: list[Edges] | None = None

    def is_free(self, edges: Edges) -> bool:
        """Whether a rectangle touches no other face and no label."""
        inside = self._beside
        if edges[0] >= inside[0] and edges[1] >= inside[1] and edges[2] <= inside[2] and edges[3] <= inside[3]:
            return _is_free(edges, self._few)
        if self._many is None:
            self._many = _touching(self._away, (*self._faces, *self._plates))
        return _is_free(edges, self._many)

    def is_clear(self, line: tuple[float, float, float, float]) -> bool:
        """Whether a line crosses no other face and no label."""
        x, y, to_x, to_y = line
        for step in range(1, _LINE_SAMPLES):
            share = step / _LINE_SAMPLES
            at_x, at_y = x + share * (to_x - x), y + share * (to_y - y)
            if not self.is_free((at_x - 1, at_y - 1, at_x + 1, at_y + 1)):
                return False
        return True


def _position(slot: int, size: Size, own: Edges, picture: Size, gap: int) -> tuple[int, int]:
    """The top left corner of a label in a slot."""
    (width, height), (left, top, right, bottom) = size, own
    middle = (left + right - width) / 2
    x: float
    y: float
    if slot < 6:
        x = (left, right - width, middle)[slot % 3]
        y = top - gap - height if slot < 3 else bottom + gap
        x = min(max(round(x), 0), picture[0] - width)
    elif slot < _BESIDE:
        x, y = (right + gap if slot == 6 else left - gap - width), top
        y = min(max(round(y), 0), picture[1] - height)
    elif slot < _INSIDE:
        x = left + gap if slot % 2 == 0 else right - gap - width
        y = bottom - gap - height if slot < _BESIDE + 2 else top + gap
    else:
        row, direction = divmod(slot - _INSIDE, len(_DIRECTIONS))
        across, down = _DIRECTIONS[direction]
        far = gap + (row + 1) * (height + gap)
        x = (middle, right + far, left - far - width)[across]
        y = ((top + bottom - height) / 2, bottom + far, top - far - height)[down]
    return round(x), round(y)


def _leader(edges: Edges, own: Edges) -> tuple[float, float, float, float]:
    """The shortest line from a label to its face's box, from the label's side."""
    x, to_x = _nearest(edges[0], edges[2], own[0], own[2])
    y, to_y = _nearest(edges[1], edges[3], own[1], own[3])
    return x, y, to_x, to_y


def _nearest(low: float, high: float, other_low: float, other_high: float) -> tuple[float, float]:
    """The nearest points of two spans; the middle of what they share."""
    if high < other_low:
        return high, other_low
    if low > other_high:
        return low, other_high
    shared = (max(low, other_low) + min(high, other_high)) / 2
    return shared, shared


def _clipped(box: Box, picture: Size) -> Edges | None:
    """What can be seen of a box, or None."""
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right, bottom = min(box.right, float(picture[0])), min(box.bottom, float(picture[1]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _grown(edges: Edges, across: float, down: float) -> Edges:
    return edges[0] - across, edges[1] - down, edges[2] + across, edges[3] + down


def _touching(area: Edges, rectangles: Iterable[Edges]) -> list[Edges]:
    left, top, right, bottom = area
    return [one for one in rectangles if one[0] < right and left < one[2] and one[1] < bottom and top < one[3]]


def _is_free(edges: Edges, avoided: Sequence[Edges]) -> bool:
    left, top, right, bottom = edges
    for other in avoided:  # noqa: SIM110 - a generator would take twice as long
        if left < other[2] and other[0] < right and top < other[3] and other[1] < bottom:
            return False
    return True
