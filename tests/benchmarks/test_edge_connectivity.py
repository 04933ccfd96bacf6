"""What benchmarks/edge_connectivity.py counts, on a small graph."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.lower.stream.networks import chain, edges_and_nodes
from trigger_ml.lower.stream.plan import plan

ROOT = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def connectivity() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("edge_connectivity")
    sys.path.remove(str(ROOT))


def test_only_what_other_rows_bring_is_counted(connectivity: ModuleType) -> None:
    """An edge's own values need no choice; its two ends and the sums of a node do."""
    kernels = plan(edges_and_nodes(0, 6, 1), 1).kernels
    found = {kernel.name: list(connectivity.parts_of(kernel)) for kernel in kernels}
    assert found == {
        "e_relu": [],
        "v_relu": [("e_relu", 24, 6, 3, 3)] * 2,
        "score": [("v_relu", 6, 1, 3, 3)] * 2,
    }
    assert not list(connectivity.parts_of(plan(chain(1, (4, 30, 2)), 7).kernels[0]))


def test_yosys_counts_both(connectivity: ModuleType, tmp_path: Path) -> None:
    """A one-hot choice of 6 rows is 6 ANDs and an OR: two LUTs of six inputs a bit, or three."""
    fixed, chosen = connectivity._both(6, 1, 3, tmp_path / "ends")
    assert fixed == 0 and 6 <= chosen <= 9
    fixed, chosen = connectivity._both(24, 6, 3, tmp_path / "sums")
    assert 0 < fixed < chosen / 3


def test_the_sum_of_the_parts(connectivity: ModuleType) -> None:
    part = connectivity.Part("score", "v", 6, 1, 24, 3, 3, 0.0, 600.0)
    text = connectivity.table([part, part], 1000.0)
    assert "| score x 24 | v | 6 | 1 | 0 | 600 | 144 |" in text
    assert "1,000 LUT with fixed connections, 2,200 with chosen ones: 2.20 times" in text
    assert connectivity.to_json([part], 1000.0)["chosen_lut"] == 1600
