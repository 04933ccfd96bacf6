"""What a netlist cell of an AMD part costs. Sizes are those of the libraries guides UG974, UG953.

``LUT`` is the number of LUT6 sites that cells ask for before packing: placement can put two small
functions in one site (LUT6_2), and does so where it saves area, so a routed count can be lower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from trigger_ml.artifacts import Resources

__all__ = ["CELLS", "Counted", "Group", "count_cells"]


class Group(Enum):
    """What a cell is made of."""

    LUT_LOGIC = "lut_logic"
    LUT_SHIFT = "lut_shift_register"
    LUT_RAM = "lut_ram"
    FF = "ff"
    DSP = "dsp"
    BRAM36 = "bram36"
    URAM = "uram"
    CARRY8 = "carry8"
    FREE = "free"
    """Takes none of the above: wide multiplexers, constants, clock and pin buffers."""


def _table() -> dict[str, tuple[Group, float]]:
    sizes: dict[Group, dict[str, float]] = {
        # An inverter that is left after mapping stands alone before a carry or a register.
        Group.LUT_LOGIC: {**{f"LUT{k}": 1 for k in range(1, 7)}, "LUT6_2": 1, "INV": 1},
        Group.LUT_SHIFT: {"SRL16": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "CFGLUT5": 1},
        Group.LUT_RAM: {
            **{"RAM16X1S": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4},
            **{"RAM512X1S": 8, "RAM16X1D": 2, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
            **{"RAM256X1D": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
            **{"RAM32X16DR8": 8, "RAM64X8SW": 8},
        },
        Group.FF: {
            **{f"FD{kind}{edge}": 1 for kind in ("RE", "SE", "CE", "PE") for edge in ("", "_1")},
            **{"LDCE": 1, "LDPE": 1},
        },
        Group.DSP: {"DSP48E1": 1, "DSP48E2": 1},
        Group.BRAM36: {
            **{f"{kind}{v}": 1 for kind in ("RAMB36E", "FIFO36E") for v in (1, 2)},
            **{f"{kind}{v}": 0.5 for kind in ("RAMB18E", "FIFO18E") for v in (1, 2)},
        },
        Group.URAM: {"URAM288": 1, "URAM288_BASE": 1},
        # A CARRY8 splits into two independent CARRY4 (CARRY_TYPE = DUAL_CY4, UG574).
        Group.CARRY8: {"CARRY8": 1, "CARRY4": 0.5},
        Group.FREE: {
            **{"MUXF7": 0, "MUXF8": 0, "MUXF9": 0, "VCC": 0, "GND": 0},
            **{"IBUF": 0, "OBUF": 0, "OBUFT": 0, "IOBUF": 0, "BUFG": 0, "BUFGCE": 0},
        },
    }
    return {cell: (group, size) for group, cells in sizes.items() for cell, size in cells.items()}


CELLS: Final[Mapping[str, tuple[Group, float]]] = _table()
"""Cell type to what it is made of and how much of that it takes."""


@dataclass(frozen=True, slots=True)
class Counted:
    """groups: sites by group. unknown: cells that are not in the table, which nothing counts."""

    groups: Mapping[Group, float]
    unknown: Mapping[str, int]

    @property
    def resources(self) -> Resources:
        """The sum for a report; LUTs of logic, shift registers and RAM together."""
        groups = self.groups
        lut = groups[Group.LUT_LOGIC] + groups[Group.LUT_SHIFT] + groups[Group.LUT_RAM]
        return Resources(
            lut=lut,
            ff=groups[Group.FF],
            dsp=groups[Group.DSP],
            bram36=groups[Group.BRAM36],
            carry8=groups[Group.CARRY8],
        )


def count_cells(cells: Mapping[str, int]) -> Counted:
    """Sum cells, given their numbers by type, over what they are made of."""
    groups = dict.fromkeys(Group, 0.0)
    unknown: dict[str, int] = {}
    for cell, number in cells.items():
        if cell not in CELLS:
            unknown[cell] = number
            continue
        group, size = CELLS[cell]
        groups[group] += size * number
    return Counted(groups, unknown)
