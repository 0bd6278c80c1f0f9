"""Label layout: positions of label plates without overlaps, inside the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from desktop_app.vision.geometry import Box

_Edges = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class PlateLayout:
    """Places plates one after the other.

    Args:
        picture: width and height of the picture.
        faces: boxes of the faces; those of other faces are better not covered.
        gap: pixels between a face's box and its plate.
    """

    def __init__(self, picture: tuple[int, int], faces: Sequence[Box], *, gap: int = 4) -> None:
        self._picture, self._gap = picture, gap
        self._faces = [(face.x, face.y, face.right, face.bottom) for face in faces]
        self._taken: list[_Edges] = []

    def take(self, x: float, y: float, width: float, height: float) -> None:
        """Keep plates off a rectangle."""
        self._taken.append((x, y, x + width, y + height))

    def place(self, size: tuple[int, int], face: int) -> tuple[int, int] | None:
        """Find a place that is free, and take it: above the face, else below, else inside, else the nearest row.

        Args:
            size: width and height of the plate in pixels.
            face: which of the faces it belongs to.

        Returns:
            The top left corner, or None where the picture has no room left.
        """
        if size[0] > self._picture[0] or size[1] > self._picture[1]:
            return None
        place = self._find(size, face)
        if place is not None:
            self.take(*place, *size)
        return place

    def _find(self, size: tuple[int, int], face: int) -> tuple[int, int] | None:
        width, height = size
        box = self._faces[face]
        places = list(_beside(size, box, self._picture, self._gap))
        if places:
            # Most of what is in the picture is nowhere near.
            left, top = min(x for x, _ in places), min(y for _, y in places)
            right, bottom = max(x for x, _ in places) + width, max(y for _, y in places) + height
            others = self._faces[:face] + self._faces[face + 1 :]
            plates, faces = (
                [it for it in edges if it[0] < right and left < it[2] and it[1] < bottom and top < it[3]]
                for edges in (self._taken, others)
            )
            for avoided in (plates + faces, plates):
                for x, y in places:
                    if _is_free(x, y, x + width, y + height, avoided):
                        return x, y
        for x, y in _anywhere(size, box, self._picture):
            if _is_free(x, y, x + width, y + height, self._taken):
                return x, y
        return None


def _beside(size: tuple[int, int], box: _Edges, picture: tuple[int, int], gap: int) -> Iterator[tuple[int, int]]:
    width, height = size
    left, top, right, bottom = (round(edge) for edge in box)
    for inset, y in ((0, top - gap - height), (0, bottom + gap), (gap, top + gap), (gap, bottom - gap - height)):
        if 0 <= y <= picture[1] - height:
            for x in (left + inset, right - width - inset):
                yield min(max(x, 0), picture[0] - width), y


def _anywhere(size: tuple[int, int], box: _Edges, picture: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Places in the whole picture, nearest to the preferred one first."""
    width, height = size
    wanted_x, wanted_y = box[0], box[1] - height
    columns = {0, picture[0] - width, min(max(round(box[0]), 0), picture[0] - width)}
    columns.update(range(0, picture[0] - width + 1, max(width // 2, 1)))
    rows = range(0, picture[1] - height + 1, max(height // 2, 1))
    places = [(x, y) for y in rows for x in columns]
    yield from sorted(places, key=lambda it: (abs(it[0] - wanted_x) + abs(it[1] - wanted_y), it))


def _is_free(left: float, top: float, right: float, bottom: float, avoided: Sequence[_Edges]) -> bool:
    for other in avoided:  # noqa: SIM110 - a generator would take twice as long
        if left < other[2] and other[0] < right and top < other[3] and other[1] < bottom:
            return False
    return True
