"""Assignment of detections to tracks at the lowest total cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

_NONE: Final = -1


def assign(costs: Sequence[Mapping[int, float]], limit: float) -> dict[int, int]:
    """Assign rows to columns so that the total cost is smallest, where leaving a row alone costs `limit`.

    Most rows and columns have only each other; what is left falls into small groups that share columns, each solved
    on its own.

    Args:
        costs: for each row the columns that it may get, with their costs; pairs of `limit` or more do not count.
        limit: what a row without a column costs.

    Returns:
        The column of each row that got one.
    """
    rows = [{column: cost for column, cost in row.items() if cost < limit} for row in costs]
    takers: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        for column in row:
            takers.setdefault(column, []).append(number)
    pairs: dict[int, int] = {}
    grouped: set[int] = set()
    for number, row in enumerate(rows):
        if number in grouped or not row:
            continue
        if len(row) == 1 and len(takers[only := next(iter(row))]) == 1:
            pairs[number] = only
            continue
        group = _group_of(number, rows, takers)
        grouped.update(group)
        pairs.update(_assign_group(group, rows, limit))
    return pairs


def _group_of(start: int, rows: Sequence[Mapping[int, float]], takers: Mapping[int, Sequence[int]]) -> list[int]:
    """All rows that share columns with this one, directly or through others, in rising order."""
    group, waiting = {start}, [start]
    while waiting:
        for column in rows[waiting.pop()]:
            new = [other for other in takers[column] if other not in group]
            group.update(new)
            waiting += new
    return sorted(group)


def _assign_group(group: Sequence[int], rows: Sequence[Mapping[int, float]], limit: float) -> dict[int, int]:
    columns = sorted({column for number in group for column in rows[number]})
    dense = [[rows[number].get(column, limit) for column in columns] for number in group]
    if len(group) <= len(columns):
        places = list(enumerate(_shortest_paths(dense)))
    else:
        turned = [list(column) for column in zip(*dense, strict=True)]
        places = [(row, column) for column, row in enumerate(_shortest_paths(turned))]
    return {group[row]: columns[column] for row, column in places if dense[row][column] < limit}


def _shortest_paths(costs: Sequence[Sequence[float]]) -> list[int]:
    """The column of each row with the smallest total cost, for no more rows than columns.

    Jonker and Volgenant 1987, "A shortest augmenting path algorithm for dense and sparse linear assignment problems".
    """
    columns = len(costs[0])
    row_price, column_price = [0.0] * len(costs), [0.0] * columns
    owner = [_NONE] * columns
    for start in range(len(costs)):
        length, before = [math.inf] * columns, [_NONE] * columns
        waiting = list(range(columns))
        row, column, reached = start, _NONE, 0.0
        while row != _NONE:
            prices, base = costs[row], reached - row_price[row]
            for other in waiting:
                reduced = base + prices[other] - column_price[other]
                if reduced < length[other]:
                    length[other], before[other] = reduced, column
            column = min(waiting, key=length.__getitem__)
            waiting.remove(column)
            reached, row = length[column], owner[column]
        row_price[start] += reached
        for other in set(range(columns)).difference(waiting):
            if owner[other] != _NONE:
                row_price[owner[other]] += reached - length[other]
            column_price[other] -= reached - length[other]
        while column != _NONE:
            previous = before[column]
            owner[column] = start if previous == _NONE else owner[previous]
            column = previous
    places = [_NONE] * len(costs)
    for column, row in enumerate(owner):
        if row != _NONE:
            places[row] = column
    return places
