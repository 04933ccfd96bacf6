"""Quantizers that saturate keep the bits of their ends in hls4ml's inference of types."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trigger_ml.frontends.hls_saturation import register_saturation


def narrowed(mode: str, own: tuple[int, int, int], read: tuple[int, int, int]) -> tuple[int, ...]:
    """Sign, integer and fraction bits that the pass leaves a quantizer, of what it reads."""
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer

    register_saturation()
    k, i, f = own
    before = SimpleNamespace(attributes={"_produce_kif": tuple(np.array([part]) for part in read)})
    layer: Any = SimpleNamespace(
        mask_kbi=tuple(np.array([[part]]) for part in (k, k + i + f, k + i)),
        SAT=mode,
        RND="RND_CONV",
        inputs=["before"],
        model=SimpleNamespace(graph={"before": before}),
    )
    made = bit_exact._produce_kif.dispatch(FixedPointQuantizer)(layer)
    assert mode == layer.SAT
    return tuple(int(part[0]) for part in made)


@pytest.mark.parametrize("mode", ["SAT", "SAT_SYM"])
def test_an_end_that_is_reached_keeps_its_bits(mode: str) -> None:
    assert narrowed(mode, (1, 0, 2), (1, 2, 1)) == (1, 0, 2)


@pytest.mark.parametrize("mode", ["SAT", "SAT_SYM"])
def test_an_end_that_is_never_reached_does_not(mode: str) -> None:
    assert narrowed(mode, (1, 3, 4), (1, 1, 1)) == (1, 1, 1)
