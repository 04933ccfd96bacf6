from __future__ import annotations

from trigger_ml.artifacts import Resources
from trigger_ml.synth.cells import CELLS, Group, count_cells


def test_each_kind_of_cell_is_counted_by_its_size() -> None:
    found = count_cells(
        {
            **{"LUT1": 1, "LUT2": 2, "LUT3": 3, "LUT4": 4, "LUT5": 5, "LUT6": 6, "INV": 7},
            **{"LUT6_2": 1, "SRL16E": 10, "SRLC32E": 1, "RAM64M8": 2, "RAM32X1D": 3},
            **{"FDRE": 100, "FDSE": 1, "FDCE": 1, "LDCE": 1},
            **{"DSP48E2": 4, "RAMB36E2": 2, "RAMB18E2": 3, "URAM288": 1},
            **{"CARRY4": 5, "CARRY8": 2, "MUXF7": 9, "BUFG": 1},
        }
    )
    assert found.groups[Group.LUT_LOGIC] == 1 + 2 + 3 + 4 + 5 + 6 + 7 + 1
    assert found.groups[Group.LUT_SHIFT] == 11
    assert found.groups[Group.LUT_RAM] == 2 * 8 + 3 * 2
    assert found.groups[Group.URAM] == 1
    assert found.resources == Resources(lut=29 + 11 + 22, ff=103, dsp=4, bram36=3.5, carry8=4.5)
    assert found.unknown == {}


def test_unknown_cells_are_listed_and_not_counted() -> None:
    found = count_cells({"LUT2": 1, "GTYE4_CHANNEL": 3})
    assert found.resources.lut == 1
    assert found.unknown == {"GTYE4_CHANNEL": 3}


def test_free_cells_take_nothing() -> None:
    assert all(size == 0 for group, size in CELLS.values() if group is Group.FREE)
    assert all(size > 0 for group, size in CELLS.values() if group is not Group.FREE)
