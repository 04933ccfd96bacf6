"""The testbench's packing against Python's own integers."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

from trigger_ml.packaged import packaged_folder


def load() -> ModuleType:
    path = packaged_folder("sim") / "trigger_ml_bits.py"
    spec = importlib.util.spec_from_file_location("trigger_ml_bits", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bits = load()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("cells", [7, 1 << 22])
def test_strings_and_back(seed: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "CELLS", cells)
    random = np.random.default_rng(seed)
    widths = random.integers(1, 63, random.integers(1, 9))
    signed = random.random(len(widths)) < 0.5
    layout = bits.Layout(widths, signed)
    low = np.where(signed, -(1 << (widths - 1)), 0)
    high = np.where(signed, (1 << (widths - 1)) - 1, (1 << widths) - 1)
    codes = random.integers(low, high, (11, len(widths)), dtype=np.int64, endpoint=True)
    codes[0], codes[1] = low, high
    strings = list(layout.strings(codes))
    for row, text in zip(codes, strings, strict=True):
        word = at = 0
        for code, width in zip(row, widths, strict=True):
            word |= (int(code) & ((1 << int(width)) - 1)) << at
            at += int(width)
        assert text == format(word, f"0{at}b")
    np.testing.assert_array_equal(layout.codes(strings), codes)


def test_unresolved_bits_are_named() -> None:
    layout = bits.Layout(np.array([3, 2, 4]), np.array([True, False, True]))
    with pytest.raises(bits.Unresolved) as caught:
        layout.codes(["000000000", "0000X1000"])
    assert str(caught.value) == "element 1 of row 1 is X1"


def test_no_rows() -> None:
    layout = bits.Layout(np.array([3]), np.array([True]))
    assert layout.codes([]).shape == (0, 1)
    assert list(layout.strings(np.empty((0, 1), dtype=np.int64))) == []
