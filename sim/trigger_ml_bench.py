"""The cocotb testbench of every top that trigger_ml writes.

    full_rate         all events, one a clock; measures latency and initiation interval
    gaps_and_resets   the first events again, with idle clocks and resets between them

The environment names its files (see README.md):

    TRIGGER_ML_VECTORS    .npz that is read
    TRIGGER_ML_RESULTS    .npz that is written, whatever happens
    TRIGGER_ML_STRESS     "events,gap,resets,seed"; without it the second test is not run
    TRIGGER_ML_PROGRESS   file that tells how far it is: "done total"

Signals are driven and read at the falling edge, halfway between the edges that count. Edges are
numbered from the one that takes the first event. An event that edge i takes, and whose result
a register behind the top would take at edge j, has a latency of j - i clocks: the number of
registers on the way.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final

import cocotb
import numpy as np
from cocotb.clock import Clock
from numpy.typing import NDArray
from trigger_ml_bits import Layout, Unresolved

Codes = NDArray[np.int64]

PERIOD_NS: Final = 2
RESET_CLOCKS: Final = 4
PATIENCE_CLOCKS: Final = 64
"""Clocks beyond twice the stated latency after which an event counts as lost."""
TELL_EVERY: Final = 128


class Broken(Exception):
    """The top does not keep its protocol: nothing it gives can be trusted."""


@dataclass
class Vectors:
    """What the vector file says. expected is None when it does not say what should come out."""

    inputs: Codes
    expected: Codes | None
    into: Layout
    out_of: Layout
    latency: int

    @classmethod
    def read(cls) -> Vectors:
        """Read the file that the environment names."""
        with np.load(os.environ["TRIGGER_ML_VECTORS"]) as data:
            unsigned = np.zeros(len(data["input_widths"]), dtype=bool)
            return cls(
                inputs=data["inputs"],
                expected=data.get("expected"),
                into=Layout(data["input_widths"], unsigned),
                out_of=Layout(data["output_widths"], data["output_signed"]),
                latency=int(data["latency_cycles"]),
            )

    @property
    def patience(self) -> int:
        """Clocks that an event may take before it counts as lost."""
        return 2 * self.latency + PATIENCE_CLOCKS


@dataclass
class Found:
    """What was measured so far; it is written after every test."""

    codes: Codes | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def write(self, **news: Any) -> None:
        """Add to the report and write all of it, in one step."""
        self.report.update(news)
        path = Path(os.environ["TRIGGER_ML_RESULTS"])
        arrays: dict[str, Any] = {} if self.codes is None else {"codes": self.codes}
        partial = path.with_name(f"{path.name}.part")
        with partial.open("wb") as file:
            np.savez(file, report=np.array(json.dumps(self.report)), **arrays)
        partial.replace(path)


FOUND = Found()


@cocotb.test()  # type: ignore[untyped-decorator, unused-ignore]
async def full_rate(dut: Any) -> None:
    """All events back to back: same integers, constant latency, as many out as in."""
    vectors = Vectors.read()
    try:
        await _full_rate(dut, vectors)
    except Broken as error:
        FOUND.write(error=str(error))
        raise AssertionError(str(error)) from error
    wrong = _first_difference(FOUND.codes, vectors.expected, "expected")
    FOUND.write(full_rate=wrong)
    assert wrong is None, wrong
    measured = FOUND.report["latency_cycles"]
    assert measured == vectors.latency, f"{measured} clocks of latency, {vectors.latency} stated"


@cocotb.test(skip="TRIGGER_ML_STRESS" not in os.environ)  # type: ignore[untyped-decorator, unused-ignore]
async def gaps_and_resets(dut: Any) -> None:
    """Idle clocks and resets change nothing; an event in flight at a reset never comes out."""
    vectors = Vectors.read()
    assert FOUND.codes is not None, "full_rate gave no codes and no latency to compare with"
    count, gap, resets, seed = os.environ["TRIGGER_ML_STRESS"].split(",")
    stress = Stress(vectors, min(int(count), len(vectors.inputs)), float(gap), int(seed))
    try:
        codes = await stress.play(dut, int(resets), int(FOUND.report["latency_cycles"]))
    except Broken as error:
        FOUND.write(error=f"with gaps and resets: {error}")
        raise AssertionError(str(error)) from error
    wrong = _first_difference(codes, FOUND.codes[: len(codes)], "at full rate")
    FOUND.write(gaps_and_resets=wrong, stress_events=len(codes))
    assert wrong is None, wrong


async def _full_rate(dut: Any, vectors: Vectors) -> None:
    """Drive every event, and the first one once more, so that one event has an interval too."""
    events = len(vectors.inputs)
    if events == 0:
        raise Broken("the vector file has no events")
    await _begin(dut, vectors)
    edge, valid, data = dut.clk.falling_edge, dut.out_valid, dut.out_data
    total = events + 1
    words = vectors.into.strings(np.concatenate([vectors.inputs, vectors.inputs[:1]]))
    strings: list[str] = []
    seen: list[int] = []
    idle = "0" * vectors.into.bits
    started = time.perf_counter()
    # Clock n: what edge n - 1 brought is read, then what edge n takes is driven.
    for clock, word in enumerate(chain(words, repeat(""))):
        if clock:
            await edge
        if _high(valid, clock):
            strings.append(str(data.value))
            seen.append(clock)
        if clock < total:
            dut.in_valid.value = 1
            dut.in_data.value = word
            if clock % TELL_EVERY == 0:
                tell(clock, events)
        elif clock == total:
            dut.in_valid.value = 0
            dut.in_data.value = idle
        if _quiet(clock, seen, total, vectors.patience):
            break
    seconds = time.perf_counter() - started
    tell(events, events)
    _measure(seen, strings, vectors, total)
    FOUND.write(seconds=seconds, events=events)


def _quiet(clock: int, seen: list[int], total: int, patience: int) -> bool:
    """Whether nothing more is to be expected. Waits long enough to see an event too many."""
    if not seen:
        return clock > patience
    first = seen[0]
    return clock > total + max(2 * first, patience if len(seen) < total else 0)


def _measure(seen: list[int], strings: list[str], vectors: Vectors, total: int) -> None:
    """Latency, interval and codes of the whole stream. Raises Broken."""
    if not seen:
        raise Broken(f"no out_valid within {vectors.patience} clocks of the first event")
    if len(seen) != total:
        raise Broken(f"{total} events went in and {len(seen)} came out (out_valid counted)")
    # Event k was taken by edge k, and edge `clock` takes what was read at that clock.
    latency = np.asarray(seen) - np.arange(total)
    if (latency != latency[0]).any():
        odd = int(np.argmax(latency != latency[0]))
        raise Broken(
            f"latency is not constant: {latency[0]} clocks for event 0, {latency[odd]} for "
            f"event {odd}"
        )
    codes = _codes(vectors.out_of, strings)
    again = _first_difference(codes[-1:], codes[:1], "at first")
    right = _first_difference(codes[:-1], vectors.expected, "expected") is None
    if again is not None and right:
        raise Broken(f"the first event, driven again at the end, gave another result: {again}")
    FOUND.codes = codes[:-1]
    interval = int(np.diff(seen).max())
    FOUND.report.update(latency_cycles=int(latency[0]), ii_cycles=interval)


class Stress:
    """The first events again, with idle clocks and resets at random places.

    Idle clocks carry other events' data, so that a result taken one clock early or late is a
    wrong one. Events in flight when a reset begins must not come out; they are sent again.
    """

    def __init__(self, vectors: Vectors, events: int, gap: float, seed: int) -> None:
        self._vectors = vectors
        self._words = list(vectors.into.strings(vectors.inputs[:events]))
        self._gap = gap
        self._random = random.Random(seed)

    async def play(self, dut: Any, resets: int, latency: int) -> Codes:
        """Drive and check; the codes of every event. Raises Broken."""
        events, draw = len(self._words), self._random
        await _begin(dut, self._vectors)
        places = sorted(draw.randrange(1, events + 1) for _ in range(resets))
        lengths = deque((place, draw.choice((1, 2, latency + 1))) for place in places)
        strings: list[str] = []
        flying: deque[int] = deque()
        following, reset_left = 0, 0
        limit = int((events + (resets + 1) * (2 * latency + 4)) * 8 / (1 - self._gap))
        for clock in range(limit):
            if clock:
                await dut.clk.falling_edge
            due = bool(flying) and flying[0] == clock
            if _high(dut.out_valid, clock) != due:
                what = "no out_valid for event" if due else "out_valid without an event, after"
                raise Broken(f"{what} {len(strings)} at clock {clock}")
            if due:
                flying.popleft()
                strings.append(str(dut.out_data.value))
            if len(strings) == events and not lengths:
                return _codes(self._vectors.out_of, strings)
            if reset_left == 0 and lengths and following >= lengths[0][0]:
                reset_left = lengths.popleft()[1]
            if reset_left:
                reset_left -= 1
                flying.clear()
                following = len(strings)
                self._drive(dut, 1, draw.getrandbits(1), draw.choice(self._words))
            elif following < events and draw.random() >= self._gap:
                self._drive(dut, 0, 1, self._words[following])
                flying.append(clock + latency)
                following += 1
            else:
                self._drive(dut, 0, 0, draw.choice(self._words))
        raise Broken(f"{len(strings)} of {events} events came out in {limit} clocks")

    def _drive(self, dut: Any, rst: int, valid: int, word: str) -> None:
        dut.rst.value = rst
        dut.in_valid.value = valid
        dut.in_data.value = word


async def _begin(dut: Any, vectors: Vectors) -> None:
    """Check the ports, start the clock, reset, and leave right after a falling edge."""
    for name, bits in (("in_data", vectors.into.bits), ("out_data", vectors.out_of.bits)):
        found = len(getattr(dut, name))
        if found != bits:
            raise Broken(f"{name} has {found} bits; the vector file says {bits}")
    dut.rst.value = 1
    dut.in_valid.value = 0
    dut.in_data.value = "0" * vectors.into.bits
    Clock(dut.clk, PERIOD_NS, unit="ns").start(start_high=False)
    for _ in range(RESET_CLOCKS):
        await dut.clk.falling_edge
    dut.rst.value = 0


def _high(signal: Any, clock: int) -> bool:
    """Whether a one-bit signal is 1. Raises Broken when it is neither 0 nor 1."""
    text = str(signal.value)
    if text == "1":
        return True
    if text == "0":
        return False
    raise Broken(f"out_valid is {text} at clock {clock} after reset")


def _codes(layout: Layout, strings: list[str]) -> Codes:
    try:
        return layout.codes(strings)
    except Unresolved as error:
        raise Broken(
            f"out_data is not resolvable although out_valid is high: event {error.row}, "
            f"element {error.element} is {error.text}"
        ) from error


def _first_difference(found: Codes | None, wanted: Codes | None, name: str) -> str | None:
    """The first event and element that differ, in words; None where all are equal."""
    if found is None or wanted is None:
        return None
    if found.shape != wanted.shape:
        return f"{wanted.shape} events and elements {name}, {found.shape} found"
    different = found != wanted
    if not different.any():
        return None
    event, element = (int(k) for k in np.argwhere(different)[0])
    count = int(different.any(axis=1).sum())
    return (
        f"{count} of {len(found)} events differ; the first is event {event}, element {element}: "
        f"{int(found[event, element])} found, {int(wanted[event, element])} {name}"
    )


def tell(done: int, total: int) -> None:
    """Say how far it is, in the file that the environment names, if any."""
    path = os.environ.get("TRIGGER_ML_PROGRESS")
    if path:
        Path(path).write_text(f"{done} {total}", encoding="ascii")
