"""Where the boxes of a graph stand: in rows by distance from the inputs, lines around the boxes.

The usual way for layered graphs (Sugiyama, Tagawa and Toda, IEEE Trans. SMC 11, 1981): a line
over several rows passes through places of its own in them; rows are ordered by the mean position
of what a box is joined to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["Placed", "place"]

SWEEPS: Final = 8
LINE_ROOM: Final = 0.3
"""Of a line that passes a row, where a box takes 1."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Boxes and lines, in box widths across and rows down.

    boxes: centre of each, (x, row). lines: from box to box, the points that each passes through,
    both ends included. width: of it all. rows: number of rows.
    """

    boxes: Mapping[str, tuple[float, int]]
    lines: Mapping[tuple[str, str], tuple[tuple[float, int], ...]]
    width: float
    rows: int


@dataclass(slots=True)
class _Place:
    """A box, or the place of a line in a row that it passes."""

    row: int
    room: float
    above: list[int]
    below: list[int]
    x: float = 0.0


def place(reads: Mapping[str, Sequence[str]]) -> Placed:
    """Lay out boxes, given what each reads. Reads come before their readers."""
    rank: dict[str, int] = {}
    for name, sources in reads.items():
        rank[name] = max((rank[source] + 1 for source in sources), default=0)
    places: list[_Place] = []
    number: dict[str, int] = {}
    for name in reads:
        number[name] = len(places)
        places.append(_Place(rank[name], 1.0, [], []))
    chains = {
        (source, name): _chain(places, number[source], number[name])
        for name, sources in reads.items()
        for source in dict.fromkeys(sources)
    }
    rows: list[list[int]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for index, item in enumerate(places):
        rows[item.row].append(index)
    _order(rows, places)
    left = min((item.x - item.room / 2 for item in places), default=0.0)
    right = max((item.x + item.room / 2 for item in places), default=0.0)
    for item in places:
        item.x -= left
    return Placed(
        {name: (places[index].x, places[index].row) for name, index in number.items()},
        {
            ends: tuple((places[k].x, places[k].row) for k in chain)
            for ends, chain in chains.items()
        },
        right - left,
        len(rows),
    )


def _chain(places: list[_Place], source: int, target: int) -> list[int]:
    """Places from one box to another, with one made in every row between."""
    chain = [source]
    for row in range(places[source].row + 1, places[target].row):
        chain.append(len(places))
        places.append(_Place(row, LINE_ROOM, [], []))
    chain.append(target)
    for upper, lower in pairwise(chain):
        places[upper].below.append(lower)
        places[lower].above.append(upper)
    return chain


def _order(rows: list[list[int]], places: list[_Place]) -> None:
    """Order every row and give its places their x."""
    for row in rows:
        _spread(row, places, [float(k) for k in range(len(row))])
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            wanted = {k: _wanted(places[k], places, down) for k in row}
            row.sort(key=lambda k: wanted[k])
            _spread(row, places, [wanted[k] for k in row])


def _wanted(item: _Place, places: list[_Place], down: bool) -> float:
    """Mean position of what a place is joined to above (below), or where it is."""
    joined = item.above if down else item.below
    if not joined:
        return item.x
    return sum(places[k].x for k in joined) / len(joined)


def _spread(row: list[int], places: list[_Place], wanted: Sequence[float]) -> None:
    """Put a row's places where they want to be, as near as they may stand to each other."""
    end = -float("inf")
    for index, x in zip(row, wanted, strict=True):
        room = places[index].room
        places[index].x = max(x, end + room / 2)
        end = places[index].x + room / 2
    shift = sum(x - places[k].x for k, x in zip(row, wanted, strict=True)) / max(len(row), 1)
    for index in row:
        places[index].x += shift
