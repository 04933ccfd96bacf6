"""The cocotb testbench of a streamed top: images as groups of columns.

    full_rate         all images back to back; measures latency and interval
    gaps_and_resets   the first images again, with idle clocks anywhere and resets within images
    framing_errors    groups without a start and starts within an image are flagged, not believed

Files and environment are those of trigger_ml_bench; the vector file holds groups, ``groups`` of
them an image. Signals are driven and read at the falling edge, as there.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cocotb
import numpy as np
from cocotb.clock import Clock
from numpy.typing import NDArray
from trigger_ml_bench import PERIOD_NS, RESET_CLOCKS, TELL_EVERY, Broken, Found, tell
from trigger_ml_bits import Layout, Unresolved

Codes = NDArray[np.int64]

CROSSINGS: Final = 3564
"""Bunch crossings of an LHC orbit: image k carries k modulo this."""
BX_BITS: Final = 12
FLAG_SEED: Final = 5


@dataclass
class Images:
    """What the vector file says, and flags drawn for every image.

    inputs, expected: rows are groups. flags: (images,), all 0 where the top has none.
    """

    inputs: Codes
    expected: Codes
    groups: int
    latency: int
    into: Layout
    out_of: Layout
    flag_bits: int
    flags: list[int]

    @classmethod
    def read(cls) -> Images:
        """Read the file that the environment names."""
        with np.load(os.environ["TRIGGER_ML_VECTORS"]) as data:
            groups = int(data["groups"])
            # Builds of before there were flags do not say.
            flag_bits = int(data["flag_bits"]) if "flag_bits" in data else 0
            words = np.random.default_rng(FLAG_SEED).integers(
                1 << flag_bits, size=len(data["inputs"]) // groups
            )
            unsigned = np.zeros(len(data["input_widths"]), dtype=bool)
            return cls(
                inputs=data["inputs"],
                expected=data["expected"],
                groups=groups,
                latency=int(data["latency_cycles"]),
                into=Layout(data["input_widths"], unsigned),
                out_of=Layout(data["output_widths"], data["output_signed"]),
                flag_bits=flag_bits,
                flags=words.tolist(),
            )

    @property
    def count(self) -> int:
        """Images."""
        return len(self.inputs) // self.groups


FOUND = Found()


@cocotb.test()  # type: ignore[untyped-decorator, unused-ignore]
async def full_rate(dut: Any) -> None:
    """Every image without a gap: same integers, constant latency, as many out as in."""
    images = Images.read()
    try:
        await _full_rate(dut, images)
    except Broken as error:
        FOUND.write(error=str(error))
        raise AssertionError(str(error)) from error
    wrong = _first_difference(FOUND.codes, images.expected, images.groups)
    FOUND.write(full_rate=wrong)
    assert wrong is None, wrong
    measured = FOUND.report["latency_cycles"]
    assert measured == images.latency, f"{measured} clocks of latency, {images.latency} stated"


@cocotb.test(skip="TRIGGER_ML_STRESS" not in os.environ)  # type: ignore[untyped-decorator, unused-ignore]
async def gaps_and_resets(dut: Any) -> None:
    """Idle clocks change nothing; after a reset within an image the next image is right."""
    images = Images.read()
    assert FOUND.codes is not None, "full_rate gave no codes to compare with"
    count, gap, resets, seed = os.environ["TRIGGER_ML_STRESS"].split(",")
    stress = Stress(images, min(int(count), images.count), float(gap), int(resets), int(seed))
    try:
        codes = await stress.play(dut)
    except Broken as error:
        FOUND.write(error=f"with gaps and resets: {error}")
        raise AssertionError(str(error)) from error
    wrong = _first_difference(codes, FOUND.codes[: len(codes)], images.groups)
    FOUND.write(gaps_and_resets=wrong, stress_events=len(codes) // images.groups)
    assert wrong is None, wrong


@cocotb.test(skip="TRIGGER_ML_STRESS" not in os.environ)  # type: ignore[untyped-decorator, unused-ignore]
async def framing_errors(dut: Any) -> None:
    """A group without a start is dropped; a start within an image begins a new one."""
    images = Images.read()
    assert FOUND.codes is not None, "full_rate gave no codes to compare with"
    try:
        codes = await _framing_errors(dut, images)
    except Broken as error:
        FOUND.write(error=f"with wrong framing: {error}")
        raise AssertionError(str(error)) from error
    wrong = _first_difference(codes, FOUND.codes[: len(codes)], images.groups)
    FOUND.write(framing_errors=wrong)
    assert wrong is None, wrong


async def _full_rate(dut: Any, images: Images) -> None:
    if images.count == 0:
        raise Broken("the vector file has no images")
    await _begin(dut, images)
    words = images.into.strings(images.inputs)
    collected = Collector(images)
    total = len(images.inputs)
    started = time.perf_counter()
    for clock in range(total + 2 * images.latency + 64):
        if clock:
            await dut.clk.falling_edge
        collected.look(dut, clock)
        if clock < total:
            image, group = divmod(clock, images.groups)
            tag = Tag(image % CROSSINGS, images.flags[image])
            _drive(dut, images, next(words), tag, start=group == 0)
            if clock % TELL_EVERY == 0:
                tell(image, images.count)
        elif clock == total:
            _idle(dut, images)
    seconds = time.perf_counter() - started
    tell(images.count, images.count)
    found = collected.finished
    if len(found) != images.count:
        raise Broken(f"{images.count} images went in and {len(found)} came out whole")
    for k, image in enumerate(found):
        _require(image.tag, Tag(k % CROSSINGS, images.flags[k]), f"image {k}")
    # Image k's first group was taken by edge k * groups; edge `clock` takes what is read there.
    latency = np.array([image.last for image in found]) - np.arange(len(found)) * images.groups
    if (latency != latency[0]).any():
        odd = int(np.argmax(latency != latency[0]))
        raise Broken(f"latency is {latency[0]} clocks for image 0 and {latency[odd]} for {odd}")
    intervals = np.diff([image.first for image in found])
    FOUND.codes = collected.codes(found)
    FOUND.write(
        latency_cycles=int(latency[0]),
        ii_cycles=int(intervals.max()) if len(intervals) else images.groups,
        seconds=seconds,
        events=images.count,
    )


@dataclass(frozen=True)
class Tag:
    """What goes in with an image's first group and stands with every group that comes out."""

    crossing: int
    flags: int


def _require(found: Tag, wanted: Tag, what: str) -> None:
    if found != wanted:
        raise Broken(
            f"{what} came out as crossing {found.crossing} with flags {found.flags:b}, not as "
            f"crossing {wanted.crossing} with flags {wanted.flags:b}"
        )


@dataclass
class Image:
    """An image that came out. first, last: clocks at which its groups could be read."""

    tag: Tag
    first: int
    last: int
    strings: list[str]


class Collector:
    """Puts what comes out together to images."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self.finished: list[Image] = []
        self.open: Image | None = None
        self.errors = 0

    def look(self, dut: Any, clock: int) -> None:
        """Read the outputs once. Raises Broken."""
        self.errors += _high(dut.out_error, "out_error", clock)
        if not _high(dut.out_valid, "out_valid", clock):
            return
        tag = Tag(
            _word(dut.out_bx, "out_bx", clock),
            _word(dut.out_flags, "out_flags", clock) if self._images.flag_bits else 0,
        )
        if _high(dut.out_start, "out_start", clock):
            self.open = Image(tag, clock, clock, [])
        image = self.open
        if image is None:
            raise Broken(f"a group without a start came out at clock {clock}")
        _require(tag, image.tag, f"group {len(image.strings)} at clock {clock}")
        image.strings.append(str(dut.out_data.value))
        image.last = clock
        if len(image.strings) == self._images.groups:
            self.finished.append(image)
            self.open = None

    def forget(self) -> None:
        """After a reset: what was coming will not come."""
        self.open = None

    def codes(self, found: list[Image]) -> Codes:
        """Groups of all images as codes."""
        try:
            return self._images.out_of.codes([text for image in found for text in image.strings])
        except Unresolved as error:
            raise Broken(
                f"out_data is not resolvable although out_valid is high: group {error.row}, "
                f"element {error.element} is {error.text}"
            ) from error


class Stress:
    """The first images again, with idle clocks anywhere and resets within images.

    Idle clocks carry other groups' data. An image that was in flight when a reset began must not
    come out; it is sent again.
    """

    def __init__(self, images: Images, count: int, gap: float, resets: int, seed: int) -> None:
        self._images, self._count, self._gap = images, count, gap
        self._words = list(images.into.strings(images.inputs[: count * images.groups]))
        self._random = random.Random(seed)
        self._resets = sorted(self._random.randrange(count) for _ in range(resets))

    async def play(self, dut: Any) -> Codes:
        """Drive and check; groups of every image. Raises Broken."""
        await _begin(dut, self._images)
        collected = Collector(self._images)
        kept: dict[int, Image] = {}
        flying: deque[int] = deque()
        seen = 0
        for clock, event in enumerate(self._events(dut, kept, flying)):
            del event
            await dut.clk.falling_edge
            collected.look(dut, clock)
            if dut.rst.value == 1:
                flying.clear()
                collected.forget()
            for image in collected.finished[seen:]:
                seen += 1
                if not flying or image.tag.crossing != flying[0]:
                    due = list(flying)[:1]
                    raise Broken(f"image {image.tag.crossing} came out, {due} was due")
                wanted = Tag(flying[0], self._images.flags[flying[0]])
                _require(image.tag, wanted, f"image {flying[0]}")
                kept[flying.popleft()] = image
        if len(kept) != self._count:
            raise Broken(f"{len(kept)} of {self._count} images came out")
        return collected.codes([kept[k] for k in range(self._count)])

    def _events(self, dut: Any, kept: dict[int, Image], flying: deque[int]) -> Iterator[None]:
        """Drive one clock at a time."""
        draw, groups = self._random, self._images.groups
        patience = 2 * self._images.latency + 64
        image = 0
        while True:
            while image < self._count:
                reset_at = -1
                if self._resets and self._resets[0] <= image:
                    self._resets.pop(0)
                    reset_at = draw.randrange(groups)
                burst = draw.random() < 0.5
                for group in range(groups):
                    while not burst and draw.random() < self._gap:
                        self._noise(dut)
                        yield
                    if group == reset_at:
                        yield from self._reset(dut)
                        break
                    word = self._words[image * groups + group]
                    if group == 0:
                        flying.append(image)
                    tag = Tag(image, self._images.flags[image])
                    _drive(dut, self._images, word, tag, start=group == 0)
                    yield
                else:
                    image += 1
                    continue
                image = next(k for k in range(self._count) if k not in kept)
            for _ in range(patience):
                self._noise(dut)
                yield
            if len(kept) == self._count or flying:
                return
            image = next(k for k in range(self._count) if k not in kept)

    def _reset(self, dut: Any) -> Iterator[None]:
        for _ in range(self._random.choice((1, 2, self._images.latency))):
            self._noise(dut, valid=True)
            dut.rst.value = 1
            yield
        dut.rst.value = 0

    def _noise(self, dut: Any, *, valid: bool = False) -> None:
        """Another group's data with any tag, that nobody may take; a start or none."""
        draw, images = self._random, self._images
        tag = Tag(draw.getrandbits(BX_BITS), draw.getrandbits(images.flag_bits))
        start = valid and bool(draw.getrandbits(1))
        _drive(dut, images, draw.choice(self._words), tag, valid=valid, start=start)


async def _framing_errors(dut: Any, images: Images) -> Codes:
    """One image after a stray group, one after an image that was cut short."""
    await _begin(dut, images)
    words = list(images.into.strings(images.inputs[: images.groups]))
    collected = Collector(images)
    plan: list[tuple[str, bool]] = [(words[-1], False)]
    plan += [(word, k == 0) for k, word in enumerate(words)]
    expected = 1
    if images.groups > 1:
        plan += [(words[0], True)]
        expected += 1
    plan += [(word, k == 0) for k, word in enumerate(words)]
    for clock in range(len(plan) + 2 * images.latency + 64):
        if clock:
            await dut.clk.falling_edge
        collected.look(dut, clock)
        if clock < len(plan):
            word, start = plan[clock]
            _drive(dut, images, word, Tag(7, images.flags[0]), start=start)
        elif clock == len(plan):
            _idle(dut, images)
    if collected.errors != expected:
        raise Broken(f"out_error was high for {collected.errors} clocks, not {expected}")
    if len(collected.finished) != 2:
        raise Broken(f"{len(collected.finished)} whole images came out, not 2")
    for image in collected.finished:
        _require(image.tag, Tag(7, images.flags[0]), "an image after wrong framing")
    codes = collected.codes(collected.finished)
    half = len(codes) // 2
    if not np.array_equal(codes[:half], codes[half:]):
        raise Broken("the image after one that was cut short differs from the image before it")
    return codes[:half]


async def _begin(dut: Any, images: Images) -> None:
    """Check the ports, start the clock, reset, and leave right after a falling edge."""
    ports = {"in_data": images.into.bits, "out_data": images.out_of.bits}
    if images.flag_bits:
        ports |= {"in_flags": images.flag_bits, "out_flags": images.flag_bits}
    for name, bits in ports.items():
        found = len(getattr(dut, name))
        if found != bits:
            raise Broken(f"{name} has {found} bits; the vector file says {bits}")
    dut.rst.value = 1
    _idle(dut, images)
    Clock(dut.clk, PERIOD_NS, unit="ns").start(start_high=False)
    for _ in range(RESET_CLOCKS):
        await dut.clk.falling_edge
    dut.rst.value = 0


def _drive(
    dut: Any, images: Images, word: str, tag: Tag, *, valid: bool = True, start: bool = False
) -> None:
    """Drive a group. The tag is inverted without a start: nothing of it may be taken then."""
    other = 0 if start else -1
    dut.in_valid.value = int(valid)
    dut.in_start.value = int(start)
    dut.in_bx.value = (tag.crossing ^ other) & ((1 << BX_BITS) - 1)
    if images.flag_bits:
        dut.in_flags.value = (tag.flags ^ other) & ((1 << images.flag_bits) - 1)
    dut.in_data.value = word


def _idle(dut: Any, images: Images) -> None:
    _drive(dut, images, "0" * images.into.bits, Tag(0, 0), valid=False)


def _word(signal: Any, name: str, clock: int) -> int:
    """A port as a number. Raises Broken when a bit of it is neither 0 nor 1."""
    text = str(signal.value)
    if set(text) - {"0", "1"}:
        raise Broken(f"{name} is {text} at clock {clock}, although out_valid is high")
    return int(text, 2)


def _high(signal: Any, name: str, clock: int) -> bool:
    """Whether a one-bit signal is 1. Raises Broken when it is neither 0 nor 1."""
    text = str(signal.value)
    if text not in ("0", "1"):
        raise Broken(f"{name} is {text} at clock {clock} after reset")
    return text == "1"


def _first_difference(found: Codes | None, wanted: Codes, groups: int) -> str | None:
    """The first image, group and element that differ, in words; None where all are equal."""
    if found is None:
        return None
    if found.shape != wanted.shape:
        return f"{wanted.shape} groups and elements expected, {found.shape} found"
    different = found != wanted
    if not different.any():
        return None
    row, element = (int(k) for k in np.argwhere(different)[0])
    count = int(different.reshape(-1, groups * found.shape[1]).any(axis=1).sum())
    return (
        f"{count} of {len(found) // groups} images differ; the first is image {row // groups}, "
        f"group {row % groups}, element {element}: {int(found[row, element])} found, "
        f"{int(wanted[row, element])} expected"
    )
