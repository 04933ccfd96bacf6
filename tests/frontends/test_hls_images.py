"""Bits of elements through zeros and rims, and where a quantizer's type may not be put."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model import layers as hls
from hls4ml.model.optimizer.passes import bit_exact
from hls4ml.model.optimizer.passes.hgq_proxy_model import FuseFixedPointQuantizer

from trigger_ml.frontends.hls_images import _cropped, _padded, register_images


def layer(kind: str, **attributes: Any) -> Any:
    return SimpleNamespace(class_name=kind, get_attr=lambda key, other=None: attributes.get(key))


def test_zeros_have_no_bits_and_what_is_left_out_needs_none() -> None:
    bits = np.arange(1, 5).reshape(2, 2, 1)
    around = layer("ZeroPadding2D", pad_top=1, pad_bottom=0, pad_left=0, pad_right=2)
    (wide,) = _padded((bits,), around, "pad")
    assert wide[..., 0].tolist() == [[0, 0, 0, 0], [1, 2, 0, 0], [3, 4, 0, 0]]
    (back,) = _cropped((wide,), around, "pad")
    assert np.array_equal(back, bits)
    sequence = layer("Cropping1D", crop_left=1, crop_right=2)
    (inside,) = _cropped((np.arange(10).reshape(5, 2),), sequence, "crop")
    assert inside.tolist() == [[2, 3], [4, 5]]


def test_hls4ml_gets_its_rules_once() -> None:
    register_images()
    first = FuseFixedPointQuantizer.match
    register_images()
    assert FuseFixedPointQuantizer.match is first
    for kind in (hls.ZeroPadding1D, hls.ZeroPadding2D, hls.Cropping1D, hls.Cropping2D):
        plain = bit_exact._produce_kif.dispatch(hls.Layer)
        assert bit_exact._produce_kif.dispatch(kind) is not plain


@pytest.mark.parametrize(
    ("before", "trusted", "interface", "fuses"),
    [
        (hls.Conv2D, False, "io_parallel", True),
        (hls.Pooling2D, False, "io_parallel", True),
        (hls.Resize, False, "io_parallel", False),
        (hls.Reshape, False, "io_parallel", False),
        (hls.Transpose, False, "io_parallel", False),
        (hls.Activation, True, "io_parallel", False),
        (hls.Activation, False, "io_parallel", True),
        (hls.Input, True, "io_parallel", True),
        (hls.Resize, False, "io_stream", False),
        (hls.Reshape, False, "io_stream", True),
        (hls.Transpose, False, "io_stream", True),
        (hls.Activation, True, "io_stream", False),
        (hls.Activation, False, "io_stream", True),
    ],
)
def test_a_type_is_not_put_on_what_cannot_cast(
    before: type, trusted: bool, interface: str, fuses: bool
) -> None:
    register_images()
    found = before.__new__(before)
    values: dict[str, Any] = {"trusted": trusted, "class_name": before.__name__}
    found.attributes = SimpleNamespace(get=lambda key, other=None: values.get(key, other))
    quantizer = SimpleNamespace(
        model=SimpleNamespace(config=SimpleNamespace(get_config_value=lambda key: interface)),
        get_input_node=lambda: found,
    )
    anything = SimpleNamespace(match_any=lambda node: True)
    assert FuseFixedPointQuantizer.match(anything, quantizer) is fuses
    # The type of a first quantizer is there already.
    values["_result_t_propagated"] = True
    assert not FuseFixedPointQuantizer.match(anything, quantizer)
