"""The top around a generated core: valid, reset, and ports in the graph's declared types.

The core is a bare pipeline: a clock, one packed input, one packed output, no valid. Its elements
are as narrow as their ranges allow, so each bit of a declared element is copied, extended or
dropped on its way in, and extended or padded on its way out. Everything else is hand-written:
``firmware/trigger_ml_top.*.in`` and the shift register that carries valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from string import Template
from typing import Any, Final

from trigger_ml.artifacts import Hdl
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.packing import Element, Piece, connect, total_bits, unused_bits
from trigger_ml.packaged import packaged_folder

__all__ = ["Core", "verilog_assignment", "write_wrapper"]

SUFFIX: Final = {Hdl.VERILOG: ".v", Hdl.VHDL: ".vhd"}
VALID_PIPELINE: Final = "trigger_ml_valid_pipeline"
TOP_TEMPLATE: Final = "trigger_ml_top"


@dataclass(frozen=True, slots=True)
class Core:
    """A pipelined module without valid and reset.

    name: of the module or entity. latency_cycles: registers from its input to its output.
    inputs, outputs: elements of its two packed ports, the first in the least significant bits.
    """

    name: str
    latency_cycles: int
    inputs: tuple[Element, ...]
    outputs: tuple[Element, ...]
    clock_port: str = "clk"
    input_port: str = "model_inp"
    output_port: str = "model_out"

    @classmethod
    def of_fsm(cls, name: str, fsm: Any) -> Core:
        """Read ports and latency from ``alkaid.codegen.RTLModel(...).fsm``.

        alkaid's own ``RTLModel.latency`` is one less when the output is registered: it counts
        the clocks between the first and the last register. The schedule of the output counts
        registers. Raises ModelError when there is more than one port either way.
        """
        if len(fsm.inp_signals) != 1 or len(fsm.out_signals) != 1:
            raise ModelError(
                Blocker(
                    f"core {name}",
                    f"one input and one output port are needed, not {len(fsm.inp_signals)} "
                    f"and {len(fsm.out_signals)}",
                    "concatenate the tensors before tracing",
                )
            )
        source, sink = fsm.inp_signals[0], fsm.out_signals[0]
        return cls(
            name=name,
            latency_cycles=int(sink.schedule.bias),
            inputs=tuple(Element(bool(k), int(i), int(f)) for k, i, f in source.precisions),
            outputs=tuple(Element(bool(k), int(i), int(f)) for k, i, f in sink.precisions),
            input_port=source.name,
            output_port=sink.name,
        )


def write_wrapper(
    top: str,
    core: Core,
    input_types: Sequence[FixedType],
    output_types: Sequence[FixedType],
    hdl: Hdl,
) -> dict[str, str]:
    """Texts of the top module and what it needs beside the core, in compile order.

    input_types, output_types: declared type of every element of ``in_data`` and ``out_data``,
    the first in the least significant bits; their number is that of the core's elements.
    Returns {file name: text}.
    Raises ModelError when the core has no register or no live bit, or when an output of the core
    has bits that its declared type cannot hold.
    """
    _check(top, core, input_types, output_types)
    declared_in = [Element.of_type(kind) for kind in input_types]
    declared_out = [Element.of_type(kind) for kind in output_types]
    into_core = connect(declared_in, core.inputs)
    out_of_core = connect(core.outputs, declared_out)
    assign = verilog_assignment if hdl is Hdl.VERILOG else _vhdl
    lines = [assign("core_in", "in_data", piece) for piece in into_core]
    lines += ["", *(assign("out_data", "core_out", piece) for piece in out_of_core)]
    if hdl is Hdl.VERILOG:
        lines += _unused(unused_bits(into_core, total_bits(declared_in)))
    folder, suffix = packaged_folder("firmware"), SUFFIX[hdl]
    template = Template((folder / f"{TOP_TEMPLATE}{suffix}.in").read_text(encoding="utf-8"))
    text = template.substitute(
        top=top,
        core=core.name,
        latency=core.latency_cycles,
        inputs=_summary(input_types),
        outputs=_summary(output_types),
        input_high=total_bits(declared_in) - 1,
        output_high=total_bits(declared_out) - 1,
        core_input_high=total_bits(core.inputs) - 1,
        core_output_high=total_bits(core.outputs) - 1,
        assignments="\n".join(f"    {line}" if line else "" for line in lines),
        clock_port=core.clock_port,
        input_port=core.input_port,
        output_port=core.output_port,
    )
    shared = f"{VALID_PIPELINE}{suffix}"
    return {shared: (folder / shared).read_text(encoding="utf-8"), f"{top}{suffix}": text}


def verilog_assignment(sink: str, source: str, piece: Piece) -> str:
    """The statement that gives bits of ``sink`` their value."""
    if piece.source is None:
        value = f"{{{piece.width}{{1'b0}}}}"
    elif piece.repeat:
        value = f"{{{piece.width}{{{source}[{piece.source}]}}}}"
    else:
        value = f"{source}[{piece.source_end - 1}:{piece.source}]"
    return f"assign {sink}[{piece.high}:{piece.low}] = {value};"


def _vhdl(sink: str, source: str, piece: Piece) -> str:
    if piece.source is None:
        value = "(others => '0')"
    elif piece.repeat:
        value = f"(others => {source}({piece.source}))"
    else:
        value = f"{source}({piece.source_end - 1} downto {piece.source})"
    return f"{sink}({piece.high} downto {piece.low}) <= {value};"


def _unused(runs: Sequence[tuple[int, int]]) -> list[str]:
    """Say to a Verilog linter that input bits are left alone on purpose."""
    if not runs:
        return []
    bits = ", ".join(f"in_data[{high}:{low}]" for low, high in runs)
    return ["", "// Bits that no output depends on.", f"wire unused_bits = &{{1'b0, {bits}}};"]


def _summary(types: Sequence[FixedType]) -> str:
    """Types of a packed vector, from the least significant bits up: ``16 x fixed<16,6>``."""
    runs = [(len(list(group)), kind) for kind, group in groupby(types)]
    shown = [f"{count} x {kind}" for count, kind in runs[:6]]
    return ", ".join([*shown, *(["..."] if len(runs) > 6 else [])]) + ", the first lowest"


def _check(
    top: str, core: Core, input_types: Sequence[FixedType], output_types: Sequence[FixedType]
) -> None:
    where = f"core {core.name}"
    blockers = []
    if top == core.name:
        blockers.append(Blocker(f"top {top}", "the top and its core need different names"))
    if core.latency_cycles < 1:
        blockers.append(
            Blocker(
                where,
                f"its latency is {core.latency_cycles} registers, and valid needs one at least",
                "give it a latency cutoff, or a stage",
            )
        )
    for side, elements, types in (
        ("inputs", core.inputs, input_types),
        ("outputs", core.outputs, output_types),
    ):
        if len(elements) != len(types):
            what = f"it has {len(elements)} {side}, and {len(types)} types are declared"
            blockers.append(Blocker(where, what))
        if not total_bits(elements):
            blockers.append(
                Blocker(
                    where,
                    f"its {side} have no bits: the network gives the same for every event",
                    "look at its weights, its types and the constants it was trained to",
                )
            )
    blockers += [
        Blocker(
            f"output element {k}",
            f"the core gives {element}, which {declared} cannot hold",
            "quantize to the declared type before the end of the trace",
        )
        for k, (element, declared) in enumerate(zip(core.outputs, output_types, strict=False))
        if not element.fits(Element.of_type(declared))
    ]
    if blockers:
        raise ModelError(blockers)
