r"""The yosys scripts: stages by themselves, then the design that they stand in.

The flow is that of ``synth_xilinx -family xcup``, spelled out so that yosys 0.23 (Debian) and 0.70
(the pyosys wheel) run the same one, and without what a trigger network pays for and cannot use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from trigger_ml.synth.yosys_modules import STAGE

__all__ = ["COUNTS", "SHELL", "design_script", "libraries", "stage_script"]

COUNTS: Final = "counts.json"
SHELL: Final = "shell.json"

PLAIN_CELLS: Final = "read_verilog -lib +/xilinx/cells_sim.v\n"
ALL_CELLS: Final = PLAIN_CELLS + "read_verilog -lib +/xilinx/cells_xtra.v\n"
"""With DSPs, block RAMs and everything rarer. To read them takes longer than to map a stage."""

LOGIC: Final = r"""delete t:$scopeinfo
opt_expr
opt_clean -purge
opt -nodffe -nosdff
wreduce
peepopt
opt_clean -purge
# multipliers
memory_dff
techmap -map +/mul2dsp.v -map +/xilinx/xcu_dsp_map.v -D DSP_A_MAXWIDTH=27 -D DSP_B_MAXWIDTH=18 \
  -D DSP_A_MAXWIDTH_PARTIAL=18 -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=9 \
  -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL27X18
select a:mul2dsp
setattr -unset mul2dsp
opt_expr -fine
wreduce
select -clear
xilinx_dsp -family xcup t:DSP48E2 %m
chtype -set $mul t:$__soft_mul
# adders, memories
techmap -map +/cmp2lut.v -map +/cmp2lcu.v -D LUT_WIDTH=6
alumacc
opt
{memories}
memory_map
opt -full
techmap -map +/techmap.v -D LUT_SIZE=6 -map +/xilinx/arith_map.v
# LUTs
opt_expr -mux_undef -noclkinv
opt_merge
opt_dff
opt_clean -purge
abc -luts 2:2,3,6:5,10,20
opt_clean -purge
"""

STAGE_SCRIPT: Final = r"""read_verilog {name}.v
hierarchy -check -top {stage}
proc
flatten
{logic}tee -q -o {name}.stat.json stat -json
cd {stage}
write_rtlil -selected {name}.il
write_json -selected {name}.json
"""

DESIGN_SCRIPT: Final = r"""# {top}: cells of an UltraScale+ part, out of context
{libraries}{stages}{read}
hierarchy -check -top {top}
proc
flatten
{logic}{shell}# registers, over the whole
{open}flatten
delete t:$scopeinfo
opt_merge
opt_dff
opt_clean -purge
xilinx_srl -fixed -minlen 3
dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01
techmap -map +/xilinx/ff_map.v t:$_*DFF* t:$_DLATCH* %u
techmap -map +/xilinx/lut_map.v -D LUT_WIDTH=6 t:$lut
techmap -map +/xilinx/cells_map.v
tee -q -o {counts} stat -json
"""

MAP_MEMORIES: Final = """memory -nomap
opt_clean
synth_xilinx -family xcup -run map_memory:map_ffram
opt -fast -full"""
NO_MEMORIES: Final = "memory_collect"
MEMORY: Final = re.compile(r"\bcase[xz]?\b|\b(?:reg|logic|bit)\b[^;()]*?\w\s*\[[^;\]]*\]\s*[;=,]")
"""A table (case) or an array in Verilog. Reading yosys's RAM libraries takes as long as mapping a
small network, so it is done only for RTL that can have use for them."""
NO_PRODUCT: Final = re.compile(r"//.*|/\*.*?\*/|@\s*\*|\(\s*\*|\*\s*\)", re.DOTALL | re.ASCII)
"""Comments, sensitivity lists and attributes: what is left with a ``*`` multiplies."""
PRIMITIVE: Final = re.compile(r"\b[A-Z][A-Z0-9_]{2,}\b\s*(?:#\s*\(|\s\w+\s*\()")
"""An instance of a cell of the part; those are named in capitals."""


def libraries(texts: Iterable[str]) -> str:
    """The start of a script: cells of the part that Verilog may come to need."""
    for text in texts:
        plain = NO_PRODUCT.sub("", re.sub(r"//.*", "", text))
        if "*" in plain or PRIMITIVE.search(plain) or MEMORY.search(text):
            return ALL_CELLS
    return PLAIN_CELLS


def stage_script(name: str, text: str) -> str:
    """Map ``name.v``, whose module is STAGE, to ``name.il``, ``name.json``, ``name.stat.json``.

    text: of ``name.v``. The libraries have been read before.
    """
    return STAGE_SCRIPT.format(name=name, stage=STAGE, logic=_logic([text]))


def design_script(
    top: str, sources: Mapping[str, str], stages: Mapping[str, str], origins: Iterable[str]
) -> str:
    """Put a design together and count its cells.

    sources: texts by name. stages: file of a mapped stage by the name of the module. origins:
    texts that those were mapped from; what they needed of the part, the design needs. They stand
    in the design as black boxes until the logic around them is mapped; then everything becomes
    one module, in which registers are merged and shift registers extracted.
    """
    closed = [
        f"read_rtlil {file}\nrename {STAGE} {name}\nsetattr -mod -set blackbox 1 {name}\n"
        for name, file in stages.items()
    ]
    read = [f"read_verilog {'-sv ' if name.endswith('.sv') else ''}{name}" for name in sources]
    return DESIGN_SCRIPT.format(
        top=top,
        libraries=libraries([*sources.values(), *origins]),
        stages="".join(closed),
        read="\n".join(read),
        logic=_logic(sources.values()),
        shell=f"cd {top}\nwrite_json -selected {SHELL}\ncd ..\n",
        open="".join(f"setattr -mod -unset blackbox ={name}\n" for name in stages),
        counts=COUNTS,
    )


def _logic(texts: Iterable[str]) -> str:
    memories = any(MEMORY.search(text) for text in texts)
    return LOGIC.format(memories=MAP_MEMORIES if memories else NO_MEMORIES)
