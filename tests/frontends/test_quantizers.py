"""Which quantizers of weights and of values are read, and what is said of the others."""

from typing import Any

import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.quantizers import (
    activation_quantizer,
    canonical_quantizer,
    is_hard,
    is_plain,
    kernel_quantizer,
    needs_table,
    quantizer_type,
)


@pytest.mark.parametrize(
    "call",
    [
        "binary()",
        "binary(alpha='auto_po2')",
        "binary(use_01=True, alpha=0.75)",
        "stochastic_binary(alpha='auto_po2', temperature=8.0)",
        "ternary(alpha=2, threshold=0.4)",
        "ternary(alpha='auto_po2', use_stochastic_rounding=True, number_of_unrolls=3)",
        "stochastic_ternary(alpha='auto_po2')",
        "quantized_po2(4, 1)",
        "quantized_po2(4, quadratic_approximation=True, log2_rounding='floor')",
        "quantized_relu_po2(6, 2048)",
        "quantized_bits(4, 0, alpha=0.375)",
        "quantized_bits(4, 0, alpha=[0.5, 1, 2])",
        "quantized_bits(4, 0, alpha=[[0.5, 1, 2]], scale_axis=1)",
        "quantized_bits(4, 0, alpha='auto_po2', use_stochastic_rounding=True)",
    ],
)
def test_quantizers_of_weights(call: str) -> None:
    read = canonical_quantizer(call, "layer fc1 kernel_quantizer")
    assert read is not None
    assert read["class_name"] == call.partition("(")[0]
    assert not is_plain(read)
    assert canonical_quantizer(read, "again") == read


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("quantized_bits(4, 0, alpha='auto')", r"quantized_bits\(alpha='auto'\)"),
        ("quantized_bits(4, 0, alpha='half')", r"quantized_bits\(alpha='half'\)"),
        ("quantized_bits(4, 0, alpha=[1, 'x'])", r"quantized_bits\(alpha=\[1, 'x'\]\)"),
        ("quantized_bits(4, 0, alpha=[])", r"alpha=\[\]"),
        ("quantized_bits(4, 0, alpha=0)", "alpha=0"),
        ("binary(alpha=[1, 2])", "alpha="),
        ("binary(alpha=1, use_stochastic_rounding=True)", "use_stochastic_rounding"),
        ("ternary(alpha=1, use_stochastic_rounding=True)", "without alpha='auto_po2'"),
        ("ternary(alpha='auto_po2', threshold=0.3)", "alpha and threshold"),
        ("quantized_po2(4, max_value=-1)", "max_value=-1"),
        ("quantized_po2(4, log2_rounding='up')", "log2_rounding"),
        ("quantized_po2(4, qnoise_factor=0.5)", "only full quantization"),
        ("bernoulli(alpha=1)", "bernoulli has no fixed-point meaning here"),
        ("quantized_linear(4)", "quantized_linear has no fixed-point meaning here"),
    ],
)
def test_quantizers_of_weights_that_are_refused(call: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        canonical_quantizer(call, "layer fc1 kernel_quantizer")


def test_a_kernel_without_an_alpha_is_what_qkeras_makes_of_it() -> None:
    for call in ("quantized_bits(4,0)", "binary()", "ternary()"):
        kernel, bias = kernel_quantizer(call, "kernel"), canonical_quantizer(call, "bias")
        assert kernel is not None
        assert bias is not None
        assert kernel["config"]["alpha"] == "auto_po2"
        assert bias["config"].get("alpha") in (None, 1)
    plain = kernel_quantizer("quantized_bits(4,0,alpha=1)", "kernel")
    assert is_plain(plain)
    assert is_plain(None)
    assert not is_plain(canonical_quantizer("quantized_bits(1,0,alpha=1)", "bias"))


def test_an_array_of_alphas_as_keras_writes_it() -> None:
    array = {"class_name": "__numpy__", "config": {"value": [[0.5, 2.0]], "dtype": "float64"}}
    config: dict[str, Any] = {"bits": 4, "integer": 0, "alpha": array}
    read = canonical_quantizer({"class_name": "quantized_bits", "config": config}, "x")
    assert read is not None
    assert read["config"]["alpha"] == [[0.5, 2.0]]
    for broken in ({}, {"config": 3}, {"config": {"value": ["a"]}}, {"config": {"value": None}}):
        config["alpha"] = broken
        with pytest.raises(ModelError, match="alpha"):
            canonical_quantizer({"class_name": "quantized_bits", "config": config}, "x")


@pytest.mark.parametrize(
    ("call", "kind", "table"),
    [
        ("quantized_bits(6,0,alpha=1)", "fixed<6,1,RND_CONV,SAT>", False),
        ("quantized_relu(5,2)", "ufixed<5,2,RND_CONV,SAT>", False),
        ("quantized_relu(5,2,relu_upper_bound=2)", "ufixed<5,2,RND_CONV,SAT>", False),
        (
            "quantized_relu(5,2,relu_upper_bound=2.5,is_quantized_clip=False)",
            "ufixed<5,2,RND_CONV,SAT>",
            True,
        ),
        ("quantized_relu(5,2,negative_slope=0.25)", "fixed<5,3,RND_CONV,SAT>", True),
        ("quantized_tanh(5)", "fixed<5,1,RND_CONV,SAT>", False),
        ("quantized_tanh(5,symmetric=1)", "fixed<5,1,RND_CONV,SAT_SYM>", False),
        ("quantized_tanh(5,use_real_tanh=True)", "fixed<5,1,RND_CONV,SAT>", True),
        ("quantized_sigmoid(5)", "ufixed<5,0,RND_CONV,SAT>", True),
        ("quantized_hswish(6,2)", "fixed<6,3,RND_CONV,SAT>", True),
        ("binary(alpha=1)", "fixed<2,2>", True),
        ("ternary(alpha=0.5)", "fixed<2,1>", True),
    ],
)
def test_quantizers_of_values(call: str, kind: str, table: bool) -> None:
    read = activation_quantizer(call, "layer act")
    assert read is not None
    assert (str(quantizer_type(read)), needs_table(read)) == (kind, table)
    assert is_hard(read) == (call.startswith("quantized_tanh") and not table)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("quantized_po2(4)", "quantized_po2 has no fixed-point meaning for values"),
        ("stochastic_ternary()", "stochastic_ternary has no fixed-point meaning for values"),
        ("quantized_bits(4,0,alpha='auto_po2')", "alpha='auto_po2'"),
        ("quantized_bits(4,0,alpha=2)", "alpha=2"),
        ("quantized_bits(4,0,alpha=1,use_stochastic_rounding=True)", "rounds the same way"),
        ("binary(alpha=0.1)", "alpha=0.1"),
        ("binary(alpha='auto')", "alpha='auto'"),
        ("quantized_relu(5,2,use_sigmoid=1)", "sigmoid variant"),
        ("quantized_relu(5,2,negative_slope=0.3)", "negative_slope=0.3"),
        ("quantized_relu(5,2,negative_slope=2)", "negative_slope=2"),
        ("quantized_relu(3,1,negative_slope=0.125)", "no smaller than the quantizer's step"),
        (
            "quantized_relu(5,2,relu_upper_bound=2.51,is_quantized_clip=False)",
            "relu_upper_bound=2.51",
        ),
        ("quantized_bits(1,0,alpha=1)", "means -1 and 1 in QKeras"),
        ("quantized_tanh(1)", "give it two bits"),
    ],
)
def test_quantizers_of_values_that_are_refused(call: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        activation_quantizer(call, "layer act")
