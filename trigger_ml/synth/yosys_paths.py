"""Longest paths of a netlist that yosys mapped: LUTs, carry bits, and an estimated delay.

The delays are those of published post-route timing reports of Vivado 2021.2 for an UltraScale+
part of the slowest speed grade (xczu3eg-sbva484-1, speed file 1.29), rounded: LUT inputs to output
0.04 to 0.20 ns, S to CO[7] of a CARRY8 0.20 to 0.24, CI to CO[7] 0.023 and 0.028 to the next slice,
CI to O[7] 0.146, S to O about that, clock to Q 0.096, setup 0.027, DSP48E2 from A or B to P without
registers 2.0 (0.20 + 0.09 + 0.74 + 0.06 + 0.70 + 0.16). Nets between slices were 0.2 to 0.6 ns
there; those within a slice 0.01 to 0.06. Nothing is placed here, so every net between slices takes
the same NET_NS: an estimate, no timing closure. Longer nets in a full part are not in it.

Registers, memories and ports begin and end a path: whatever drives a top is taken to be a register.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

__all__ = [
    "CLOCK_TO_Q_NS",
    "LOCAL_NET_NS",
    "MODEL",
    "SETUP_NS",
    "Longest",
    "longest_inside",
    "longest_paths",
]

CLOCK_TO_Q_NS: Final = 0.10
SETUP_NS: Final = 0.03
NET_NS: Final = 0.35
LOCAL_NET_NS: Final = 0.03
LUT_NS: Final = 0.12
WIDE_MUX_NS: Final = 0.08
"""MUXF7 or MUXF8, which joins two LUTs of one slice."""
CARRY_IN_NS: Final = 0.20
"""From S or DI onto the chain."""
CARRY_BIT_NS: Final = 0.0064
"""One bit along the chain: an eighth of a CARRY8 and the net to the next."""
CARRY_OUT_NS: Final = 0.12
"""From the chain, or from S of the same bit, to O."""
DSP_NS: Final = 2.0

MODEL: Final = (
    f"estimate for UltraScale+ -1: LUT {LUT_NS} ns, net {NET_NS} ns, carry chain "
    f"{CARRY_IN_NS} + {CARRY_BIT_NS} a bit + {CARRY_OUT_NS} ns, clock to Q {CLOCK_TO_Q_NS} ns, "
    f"setup {SETUP_NS} ns, DSP {DSP_NS} ns; nothing placed"
)

Node = int | tuple[str, ...]
"""A bit of a net, or a point inside a cell."""


@dataclass(frozen=True, slots=True)
class Longest:
    """The slowest path through something. levels: LUTs in series. carry_bits: bits along carry
    chains. delay_ns: estimated, registers and nets with it."""

    levels: int
    carry_bits: int
    delay_ns: float


class _Arrival(NamedTuple):
    """Compared by delay first."""

    ns: float
    levels: int
    carry: int
    stage: str


class _Arc(NamedTuple):
    source: Node
    ns: float
    levels: int = 0
    carry: int = 0
    stage: str = ""


START: Final = _Arrival(0.0, 0, 0, "")


def longest_inside(module: Mapping[str, Any]) -> Longest:
    """The slowest path of a mapped module, from its inputs or registers to its outputs.

    module: of a file that ``write_json`` wrote. Without clock to Q and setup.
    """
    graph = _Graph(module, {})
    arrivals = graph.arrivals()
    ends = [arrivals[node] for node in graph.ends()]
    slowest = max(ends, default=START)
    return Longest(slowest.levels, slowest.carry, slowest.ns)


def longest_paths(module: Mapping[str, Any], stages: Mapping[str, Longest]) -> dict[str, Longest]:
    """The slowest register-to-register path through each stage of a design, and around them.

    module: the design with its stages as cells. stages: what is inside, by the cell's type.
    Returns paths by the name of the cell's type; the empty name is what goes through no stage.
    A path through two stages without a register between counts for the later one.
    """
    graph = _Graph(module, stages)
    arrivals = graph.arrivals()
    found: dict[str, Longest] = {}
    for node in graph.ends():
        ns, levels, carry, stage = arrivals[node]
        # A LUT or a carry chain stands beside the register that it feeds.
        total = ns + CLOCK_TO_Q_NS + SETUP_NS + (LOCAL_NET_NS if ns else NET_NS)
        if stage not in found or total > found[stage].delay_ns:
            found[stage] = Longest(levels, carry, total)
    return found


class _Graph:
    """Every bit of a module with the arcs that lead to it."""

    def __init__(self, module: Mapping[str, Any], stages: Mapping[str, Longest]) -> None:
        self._arcs: dict[Node, list[_Arc]] = defaultdict(list)
        self._ends: dict[Node, None] = {}
        self._lut_outputs: set[Node] = set()
        self._stages = stages
        cells = module["cells"]
        for cell in cells.values():
            if _is_lut(cell["type"]):
                output = "Y" if "Y" in cell["connections"] else "O"
                self._lut_outputs.update(_bits(cell["connections"][output]))
        for name, cell in cells.items():
            self._add(name, cell)
        for port in module["ports"].values():
            if port["direction"] == "output":
                self._ends.update(dict.fromkeys(_bits(port["bits"])))

    def ends(self) -> Iterable[Node]:
        return self._ends

    def arrivals(self) -> Mapping[Node, _Arrival]:
        """When each node settles. A loop of logic is cut where it is first closed."""
        found: dict[Node, _Arrival] = {}
        open_: set[Node] = set()
        for end in self._ends:
            stack: list[Node] = [end]
            while stack:
                node = stack[-1]
                if node in found:
                    stack.pop()
                    continue
                missing = [
                    arc.source
                    for arc in self._arcs.get(node, ())
                    if arc.source not in found and arc.source not in open_
                ]
                if missing and node not in open_:
                    open_.add(node)
                    stack += missing
                    continue
                found[node] = max(
                    (_after(found.get(arc.source, START), arc) for arc in self._arcs.get(node, ())),
                    default=START,
                )
                open_.discard(node)
                stack.pop()
        return found

    def _add(self, name: str, cell: Mapping[str, Any]) -> None:
        kind, connections = cell["type"], cell["connections"]
        if _is_lut(kind):
            self._add_lut(connections)
        elif kind == "CARRY4":
            self._add_carry(name, connections)
        elif kind in ("MUXF7", "MUXF8", "MUXF9"):
            self._add_through(name, cell, WIDE_MUX_NS, 0.0)
        elif kind in self._stages:
            inside = self._stages[kind]
            arc = _Arc(("in", name), inside.delay_ns, inside.levels, inside.carry_bits, kind)
            self._join(name, cell, arc, 0.0)
        elif kind == "DSP48E2" and not _registered(cell):
            self._add_through(name, cell, DSP_NS, NET_NS)
        else:
            for port, bits in connections.items():
                if cell["port_directions"].get(port) == "input":
                    self._ends.update(dict.fromkeys(_bits(bits)))

    def _add_lut(self, connections: Mapping[str, list[Any]]) -> None:
        outputs = connections.get("Y", connections.get("O", []))
        inputs = [bit for port, bits in connections.items() if port not in "YO" for bit in bits]
        wide = WIDE_MUX_NS * max(0, len(inputs) - 6)
        for output in _bits(outputs):
            self._arcs[output] += [
                _Arc(bit, NET_NS + LUT_NS + wide, levels=1) for bit in _bits(inputs)
            ]

    def _add_through(self, name: str, cell: Mapping[str, Any], ns: float, net: float) -> None:
        self._join(name, cell, _Arc(("in", name), ns), net)

    def _join(self, name: str, cell: Mapping[str, Any], through: _Arc, net: float) -> None:
        """Every input to every output, by way of two points in the cell."""
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                self._arcs["in", name] += [_Arc(bit, net) for bit in _bits(bits)]
        self._arcs["out", name].append(through)
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                for bit in _bits(bits):
                    self._arcs[bit].append(_Arc(("out", name), 0.0))

    def _add_carry(self, name: str, connections: Mapping[str, list[Any]]) -> None:
        before: list[Node] = []
        for port in ("CI", "CYINIT"):
            before += _bits(connections.get(port, []))
        selects, data = connections["S"], connections["DI"]
        for place, (select, value) in enumerate(zip(selects, data, strict=True)):
            here: Node = ("carry", name, str(place))
            enters = [*self._entry(select), *self._entry(value)]
            self._arcs[here] += [
                *(_Arc(bit, net + CARRY_IN_NS, lut, 1) for bit, net, lut in enters),
                *(_Arc(bit, CARRY_BIT_NS, 0, 1) for bit in before),
            ]
            for output in _bits(connections.get("O", [])[place : place + 1]):
                self._arcs[output] += [
                    *(
                        _Arc(bit, net + CARRY_OUT_NS, lut, 1)
                        for bit, net, lut in self._entry(select)
                    ),
                    *(_Arc(bit, CARRY_OUT_NS, 0, 1) for bit in before),
                ]
            for output in _bits(connections.get("CO", [])[place : place + 1]):
                self._arcs[output].append(_Arc(here, 0.0))
            before = [here]

    def _entry(self, bit: Any) -> Iterator[tuple[Node, float, int]]:
        """An input of a carry chain, the net to it, and LUTs on the way: S and DI come from the
        LUTs of the same slice, or through one of them."""
        for node in _bits([bit]):
            if node in self._lut_outputs:
                yield node, LOCAL_NET_NS, 0
            else:
                yield node, NET_NS + LUT_NS, 1


def _after(before: _Arrival, arc: _Arc) -> _Arrival:
    return _Arrival(
        before.ns + arc.ns,
        before.levels + arc.levels,
        before.carry + arc.carry,
        arc.stage or before.stage,
    )


def _is_lut(kind: str) -> bool:
    return kind in ("$lut", "$_NOT_", "INV") or (kind.startswith("LUT") and kind[3:].isdigit())


def _registered(cell: Mapping[str, Any]) -> bool:
    """Whether a DSP holds a register on the way from its operands to its result."""
    parameters = cell.get("parameters", {})
    registers = (parameters.get(name, 0) for name in ("AREG", "BREG", "MREG", "PREG"))
    return any(int(value, 2) if isinstance(value, str) else value for value in registers)


def _bits(bits: Iterable[Any]) -> list[Node]:
    """The bits of a connection that are nets, not constants."""
    return [bit for bit in bits if isinstance(bit, int)]
