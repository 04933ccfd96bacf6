"""What the HLS project might take, by published rules of thumb: an estimate of hls4ml's firmware.

It has nothing to do with the RTL that is traced here, and no vendor tool has been held against
it: it says which layers are large and slow, and may be off by a factor of two and more.

Of every layer with weights, for each event:

- multipliers: as hls4ml limits them in ``parameters.h``, ceil(n_in n_out / R) - zeros / R for
  reuse factor R;
- II: R clocks for each pass; a dense layer makes one pass, a convolution one for each place
  (hls4ml's ``nnet_conv2d_latency.h`` and ``nnet_conv2d_stream.h``);
- latency: L = L_mult + (R - 1) II_mult + L_activ (J. Duarte et al., JINST 13, P07027, 2018,
  arXiv:1804.06913), with II_mult = 1. L_mult is the layer's logic by :mod:`trigger_ml.synth.rough`,
  over the clock period less hls4ml's clock uncertainty; L_activ is that of what follows it;
- DSP: multipliers over the reuse factor, as in the same paper, where both factors have DSP_BITS
  bits or more: narrower products are built in LUTs. One DSP48E2 multiplies 27 x 18 bits (UG579);
- LUT: one for each bit operation of the products that are not in DSPs, EBOPs being about LUT +
  55 DSP (C. Sun et al., arXiv:2405.00645). A constant weight counts the bits between its first and
  last that are set; with R > 1 weights are not constant and count all their bits;
- BRAM: weights of strategy Resource with R > 1, R words deep and as wide as all that is read at
  once, in memories of 72 x 512 bits (UG573).

No simple rule for flip-flops is published. ff_at_least holds every layer's outputs once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.graph.model import Conv2D, Dense, EinsumDense, FixedGraph, Input, Node
from trigger_ml.graph.types import Codes
from trigger_ml.synth.rough import Rough, rough_counts

__all__ = ["HlsChoice", "HlsEstimate", "HlsLayer", "enclosed_bits", "estimate_hls", "read_choices"]

DSP_BITS: Final = 10
"""Bits of the narrower factor from which Vivado HLS takes a DSP. Users' experience with hls4ml:
no document of the vendor's says it."""
DSP_PORTS: Final = (27, 18)
"""Signed factors of a DSP48E2 (UG579)."""
BRAM_SHAPE: Final = (72, 512)
"""Bits and words of a block RAM of 36 Kb at its widest (UG573)."""
CLOCK_UNCERTAINTY: Final = 0.27
"""Of the period, which Vitis HLS keeps for routing by default (UG1399); hls4ml asks for as much."""
PARAMETERS: Final = Path("firmware") / "parameters.h"

Weighted = Dense | Conv2D | EinsumDense


@dataclass(frozen=True, slots=True)
class HlsChoice:
    """What hls4ml set for a layer. passes: of its multipliers, for each event."""

    strategy: str = "latency"
    reuse_factor: int = 1
    passes: int = 1


@dataclass(frozen=True, slots=True)
class HlsLayer:
    """One layer. multiplications: by weights that are not zero, of an event. latency_cycles: from
    its first input to its first output. Other fields as in the module's docstring."""

    name: str
    strategy: str
    reuse_factor: int
    multiplications: int
    multipliers: int
    ii_cycles: int
    latency_cycles: int
    dsp: int
    lut: float
    ff_at_least: int
    bram36: int


@dataclass(frozen=True, slots=True)
class HlsEstimate:
    """All layers with weights. not_counted: layers without, whose resources are in no figure.

    latency_cycles: of an event through all of them. ii_cycles: of the slowest.
    """

    layers: tuple[HlsLayer, ...]
    not_counted: tuple[str, ...]
    latency_cycles: int
    ii_cycles: int
    clock_mhz: float

    def to_json(self) -> dict[str, Any]:
        """Plain form for the report, with totals."""
        totals = {
            key: sum(getattr(layer, key) for layer in self.layers)
            for key in ("multiplications", "multipliers", "dsp", "lut", "ff_at_least", "bram36")
        }
        latency_ns = self.latency_cycles * 1e3 / self.clock_mhz
        return {**asdict(self), "latency_ns": latency_ns, "total": totals}


def estimate_hls(
    network: FixedGraph, choices: Mapping[str, HlsChoice], clock_mhz: float, *, stream: bool = False
) -> HlsEstimate:
    """Estimate the project that hls4ml made of a network.

    choices: by layer, as :func:`read_choices` finds them; for others hls4ml's defaults. stream:
    whether the project is io_stream, whose layers all run at once.
    """
    logic = rough_counts(network)
    usable_ns = 1e3 / clock_mhz * (1 - CLOCK_UNCERTAINTY)
    layers, latency, others = [], 0, []
    for node in network.nodes:
        if isinstance(node.operation, Weighted):
            choice = choices.get(node.name, HlsChoice(passes=_places(node)))
            layers.append(_layer(node, network, choice, logic[node.name], usable_ns))
        elif not isinstance(node.operation, Input):
            others.append(node.name)
    slowest = max((layer.ii_cycles for layer in layers), default=1)
    ends: dict[str, int] = {}
    own = {layer.name: layer for layer in layers}
    for node in network.nodes:
        start = max((ends[name] for name in node.inputs), default=0)
        layer = own.get(node.name)
        if layer is None:
            ends[node.name] = start + ceil(logic[node.name].delay_ns / usable_ns)
            continue
        waits = 0 if stream else layer.ii_cycles - layer.reuse_factor
        ends[node.name] = start + layer.latency_cycles + waits
    latency = max(ends[name] for name in network.outputs) + (slowest - 1 if stream else 0)
    return HlsEstimate(tuple(layers), tuple(others), latency, slowest, clock_mhz)


def read_choices(project: Path, *, stream: bool = False) -> dict[str, HlsChoice]:
    """Strategy and reuse factor of every layer of an hls4ml project, by layer.

    They are read from ``firmware/parameters.h``, which is what HLS reads; nothing for a project
    that has none.
    """
    path = project / PARAMETERS
    if not path.is_file():
        return {}
    found = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for name, body in re.findall(
        r"^// (\w+)\n(.*?)(?=^// \w+\n|\Z)", text, re.DOTALL | re.MULTILINE
    ):
        strategy = re.search(r"\bstrategy = nnet::(\w+);", body)
        if strategy is None:
            continue
        reuse = _number(body, "reuse_factor", 1)
        passes = _number(body, "n_partitions", 1)
        if stream:
            passes = _number(body, "in_height", 1) * _number(body, "in_width", passes)
        found[name] = HlsChoice(strategy.group(1), max(reuse, 1), max(passes, 1))
    return found


def enclosed_bits(weights: Codes) -> Codes:
    """Bits from the first to the last one that is set in each magnitude: 6 = 110 has two, 0 none.

    The width of a constant factor in EBOPs (arXiv:2405.00645).
    """
    magnitude = np.abs(weights.astype(np.int64))
    lowest = magnitude & -magnitude
    odd = np.where(magnitude == 0, 0, magnitude // np.maximum(lowest, 1))
    return np.asarray(np.ceil(np.log2(odd + 1)), dtype=np.int64)


def _number(body: str, key: str, otherwise: int) -> int:
    match = re.search(rf"\b{key} = (\d+);", body)
    return int(match.group(1)) if match else otherwise


def _places(node: Node) -> int:
    """Places that a layer's weights are used at, for each event."""
    operation = node.operation
    if isinstance(operation, EinsumDense):
        return int(operation.bias.shape[1])
    assert isinstance(operation, Dense | Conv2D)
    return int(node.size // operation.weight.shape[-1])


def _layer(
    node: Node, network: FixedGraph, choice: HlsChoice, logic: Rough, usable_ns: float
) -> HlsLayer:
    operation = node.operation
    assert isinstance(operation, Weighted)
    weights, reuse = operation.weight, choice.reuse_factor
    used = int(np.count_nonzero(weights))
    places = _places(node)
    # Every pass works on so many places at once.
    at_once = ceil(places / choice.passes)
    multipliers = at_once * (ceil(weights.size / reuse) - (weights.size - used) // reuse)
    bits = network.by_name[node.inputs[0]].type.width
    weight_bits = operation.weight_type.width
    dsp = multipliers * _dsp_of(bits, weight_bits)
    products = float(bits * enclosed_bits(weights).sum()) * at_once
    if reuse > 1:
        products = float(multipliers * bits * weight_bits)
    memory = 0
    if choice.strategy == "resource" and reuse > 1:
        wide = ceil(weights.size / reuse) * weight_bits
        memory = ceil(wide / BRAM_SHAPE[0]) * ceil(reuse / BRAM_SHAPE[1])
    return HlsLayer(
        name=node.name,
        strategy=choice.strategy,
        reuse_factor=reuse,
        multiplications=used * places,
        multipliers=multipliers,
        ii_cycles=choice.passes * reuse,
        latency_cycles=max(ceil(logic.delay_ns / usable_ns), 1) + reuse - 1,
        dsp=dsp,
        lut=0.0 if dsp else products,
        ff_at_least=node.size * node.type.width,
        bram36=memory,
    )


def _dsp_of(left: int, right: int) -> int:
    """DSPs of one product; 0 where it is built in LUTs."""
    if min(left, right) < DSP_BITS:
        return 0
    wide, narrow = DSP_PORTS
    ways = ((left, right), (right, left))
    return min(ceil(a / wide) * ceil(b / narrow) for a, b in ways)
