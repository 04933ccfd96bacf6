"""What becomes of an ONNX model, and what is refused, all of it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.onnx_models import QCDQ, QONNX, Builder, rounded
from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.onnx_client import open_onnx
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.frontends.onnx_walk import identifier
from trigger_ml.frontends.quantizers import quantizer_type

DATA = Path(__file__).parents[1] / "data"
EXPORTED = ("tiny_qonnx.onnx", "tiny_qcdq.onnx", "tiny_qcdq_conv.onnx")
Network = Callable[[Builder], str]


def read(tmp_path: Path, model: Builder, output: str, *shape: int | str) -> KerasNetwork:
    path = model.save(tmp_path / "model.onnx", output, shape or ("events", 4))
    return read_onnx_network(path).network


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_onnx_network(path)
    return str(caught.value)


def refused(tmp_path: Path, model: Builder, output: str, *shape: int | str) -> str:
    return refusal(model.save(tmp_path / "model.onnx", output, shape or ("events", 4)))


def kinds(network: KerasNetwork) -> list[str]:
    return [layer.kind for layer in network.layers]


@pytest.mark.parametrize("name", EXPORTED)
def test_what_brevitas_exports(name: str) -> None:
    assert detect(DATA / name) is Format.ONNX
    network = read_onnx_network(DATA / name).network
    assert network.has_input_quantizer
    for layer in network.layers:
        if layer.kind in ("QDense", "QConv2D"):
            for key, values in zip(("kernel", "bias"), network.weights[layer.name], strict=True):
                kind = quantizer_type(layer.config[f"{key}_quantizer"])
                codes = values.astype(np.float64) / kind.step
                assert kind.width <= 4
                assert np.all(codes == np.rint(codes))
                assert kind.min_code <= codes.min() <= codes.max() <= kind.max_code


def test_known_by_its_content_and_no_keras(tmp_path: Path) -> None:
    renamed = tmp_path / "model.h5"
    renamed.write_bytes((DATA / EXPORTED[0]).read_bytes())
    assert detect(renamed) is Format.ONNX
    assert Format.ONNX.reader == "ONNX"
    with pytest.raises(ModelError, match="is ONNX, and only Keras files"):
        read_keras(DATA / EXPORTED[0])


def test_both_dialects_are_the_same_network() -> None:
    first, second = (read_onnx_network(DATA / name) for name in EXPORTED[:2])
    assert [(a.kind, a.config) for a in first.network.layers] == [
        (b.kind, b.config | {"name": a.name})
        for a, b in zip(first.network.layers, second.network.layers, strict=True)
    ]
    assert kinds(first.network)[1:] == ["QActivation", "QDense"] * 3
    assert (first.network.tail, first.logits) == ("softmax", ("/logits/Gemm_output_0",))
    for mine, other in zip(
        first.network.weights.values(), second.network.weights.values(), strict=True
    ):
        assert all(map(np.array_equal, mine, other))


@pytest.mark.parametrize("dialect", [QONNX, QCDQ])
@pytest.mark.parametrize(
    ("bits", "scale", "signed", "narrow", "type_"),
    [
        (8, 2.0**-5, True, False, "fixed<8,3,RND_CONV,SAT>"),
        (8, 2.0**-5, True, True, "fixed<8,3,RND_CONV,SAT_SYM>"),
        (2, 1.0, True, True, "fixed<2,2,RND_CONV,SAT_SYM>"),
        (5, 4.0, True, False, "fixed<5,7,RND_CONV,SAT>"),
        (4, 2.0**-9, True, False, "fixed<4,-5,RND_CONV,SAT>"),
        (8, 2.0**-5, False, False, "ufixed<8,3,RND_CONV,SAT>"),
        (1, 1.0, False, False, "ufixed<1,1,RND_CONV,SAT>"),
        (3, 2.0**-6, False, False, "ufixed<3,-3,RND_CONV,SAT>"),
    ],
)
def test_a_quantizer_of_values(
    tmp_path: Path, dialect: str, bits: int, scale: float, signed: bool, narrow: bool, type_: str
) -> None:
    model = Builder(dialect)
    network = read(
        tmp_path, model, model.dense(model.quant("x", bits, scale, signed, narrow), 4, 3)
    )
    kind = quantizer_type(network.layers[1].config["activation"])
    assert str(kind) == type_
    assert kind.step == scale


@given(
    bits=st.integers(2, 8),
    exponent=st.integers(-12, 6),
    signed=st.booleans(),
    narrow=st.booleans(),
    zero=st.booleans(),
)
def test_a_type_has_the_values_of_its_quantizer(
    bits: int, exponent: int, signed: bool, narrow: bool, zero: bool
) -> None:
    """Least, largest and all between, by the definition of Quant; zero points may shift a sign."""
    from trigger_ml.frontends.onnx_grids import Grid, quant_range
    from trigger_ml.frontends.quantizers import canonical_quantizer

    low, high = quant_range({"signed": signed, "narrow": narrow}, bits)
    if not signed and zero:
        low, high = low - 2 ** (bits - 1), high - 2 ** (bits - 1)
    if not signed and narrow:
        with pytest.raises(ModelError, match="range of no fixed-point type"):
            Grid(exponent, low, high).quantizer("here")
        return
    quantizer = canonical_quantizer(Grid(exponent, low, high).quantizer("here"), "here")
    assert quantizer is not None
    kind = quantizer_type(quantizer)
    assert (kind.min_code, kind.max_code, kind.step) == (low, high, 2.0**exponent)


def test_weights_are_what_their_quantizer_makes_of_them(tmp_path: Path) -> None:
    """Also with a scale for each channel, ties to even, and values beyond the range."""
    model = Builder()
    weights = model.random.uniform(-1.2, 1.2, (3, 4))
    weights[0] = (0.0625, 0.1875, -0.0625, 0.3125)
    scale = np.array([[0.125], [0.25], [1.0]])
    stored = model.quant(model.constant(weights), 4, scale.tolist(), narrow=True)
    start = model.quant("x", 8, 0.25)
    output = model.node("MatMul", start, model.node("Transpose", stored, perm=[1, 0]))
    network = read(tmp_path, model, output)
    expected = rounded(weights.astype(np.float32).astype(np.float64), scale, -7, 7).T
    assert network.layers[-1].config["use_bias"] is False
    np.testing.assert_array_equal(network.weights[network.layers[-1].name][0], expected)


def test_a_bias_of_its_own_node_joins_its_layer(tmp_path: Path) -> None:
    model = Builder(QCDQ)
    hidden = model.node("MatMul", model.quant("x", 8, 0.25), model.weights((4, 3)))
    network = read(tmp_path, model, model.node("Sub", hidden, model.constant([0.5, -1, 0.25])))
    assert kinds(network) == ["InputLayer", "QActivation", "QDense"]
    np.testing.assert_array_equal(network.weights[network.layers[-1].name][1], [-0.5, 1, -0.25])


def test_powers_of_two_go_into_the_layer_before_them(tmp_path: Path) -> None:
    model = Builder()
    names = (model.quant("x", 8, 0.25), model.constant(np.arange(8).reshape(4, 2)))
    layer = model.node("MatMul", *names)
    layer = model.node("Add", layer, model.constant([[1.0, 3.0]]))
    layer = model.node("Div", layer, model.constant([2.0, -4.0]))
    network = read(tmp_path, model, model.node("Mul", model.constant(0.5), layer))
    kernel, bias = network.weights[network.layers[-1].name]
    np.testing.assert_array_equal(kernel, np.arange(8).reshape(4, 2) / [4, -8])
    np.testing.assert_array_equal(bias, [0.25, -0.375])


def test_a_sum_that_is_read_twice_keeps_its_bias_out(tmp_path: Path) -> None:
    model = Builder()
    hidden = model.node("MatMul", model.quant("x", 8, 0.25), model.weights((4, 3)))
    shifted = model.node("Add", hidden, model.constant([1.0, 2.0, 3.0]), name="/shift/Add")
    text = refused(tmp_path, model, model.node("Mul", hidden, shifted))
    assert "node /shift/Add (Add): computes with a constant" in text


def test_gemm_scales_and_transposes(tmp_path: Path) -> None:
    model = Builder()
    weights, bias = model.random.integers(-4, 5, (4, 3)), [1, 2, 3]
    names = (model.quant("x", 8, 0.25), model.constant(weights), model.constant(bias))
    network = read(tmp_path, model, model.node("Gemm", *names, alpha=0.5, beta=2.0))
    kernel, shift = network.weights[network.layers[-1].name]
    np.testing.assert_array_equal(kernel, weights / 2)
    np.testing.assert_array_equal(shift, [2, 4, 6])


def test_kernels_with_groups_and_dilations_are_written_out(tmp_path: Path) -> None:
    model = Builder()
    weights = model.random.integers(-3, 4, (4, 1, 2, 2))
    layer = model.node(
        "Conv",
        model.quant("x", 4, 0.5),
        model.constant(weights),
        group=2,
        dilations=[1, 2],
        kernel_shape=[2, 2],
    )
    network = read(tmp_path, model, model.relu(layer), "events", 2, 5, 6)
    kernel = next(iter(network.weights.values()))[0]
    assert kernel.shape == (2, 3, 2, 4)
    for out in range(4):
        plane = kernel[:, :, out // 2, out]
        np.testing.assert_array_equal(plane[:, ::2], weights[out, 0])
        assert not plane[:, 1].any()
        assert not kernel[:, :, 1 - out // 2, out].any()


@pytest.mark.parametrize(
    ("kernel", "pads", "expected"),
    [
        ((3, 3), [1, 1, 1, 1], ["same"]),
        ((2, 4), [0, 1, 1, 2], ["same"]),
        ((3, 3), [0, 0, 0, 0], ["valid"]),
        ((3, 3), [2, 1, 0, 1], ["ZeroPadding2D", "valid"]),
    ],
)
def test_padding(
    tmp_path: Path, kernel: tuple[int, int], pads: list[int], expected: list[str]
) -> None:
    model = Builder()
    read_ = model.quant("x", 4, 0.5)
    layer = model.node("Conv", read_, model.weights((3, 1, *kernel)), pads=pads)
    network = read(tmp_path, model, model.relu(layer), 1, 1, 5, 6)
    at = kinds(network).index("QConv2D")
    found = [network.layers[at].config["padding"]]
    if kinds(network)[at - 1] == "ZeroPadding2D":
        found.insert(0, "ZeroPadding2D")
        assert network.layers[at - 1].config["padding"] == [[2, 0], [1, 1]]
    assert found == expected


def test_one_channel_needs_no_other_order(tmp_path: Path) -> None:
    """A row of an image with one channel is the same in both orders; so is the one that leaves."""
    model = Builder()
    layer = model.relu(model.node("Conv", model.quant("x", 4, 0.5), model.weights((2, 1, 3, 3))))
    layer = model.node("Conv", layer, model.weights((1, 2, 1, 1)))
    network = read(tmp_path, model, layer, "events", 1, 5, 6)
    assert "Permute" not in kinds(network)
    assert network.input_shape == (5, 6, 1)


def test_channels_last_graphs_stay_as_they_are(tmp_path: Path) -> None:
    """As converted from Keras: transposed before the convolution, and back after it."""
    model = Builder()
    layer = model.node("Transpose", model.quant("x", 4, 0.5), perm=[0, 3, 1, 2])
    layer = model.relu(model.node("Conv", layer, model.weights((3, 2, 3, 3))))
    layer = model.node("Transpose", layer, perm=[0, 2, 3, 1])
    layer = model.node("Reshape", layer, model.constant([-1, 36], np.int64))
    network = read(tmp_path, model, model.dense(layer, 36, 2), "events", 5, 6, 2)
    assert kinds(network)[1:] == ["QActivation", "QConv2D", "QActivation", "Flatten", "QDense"]


def _mask(model: Builder, channels: int, last: bool) -> str:
    layer = model.quant("x", 4, 0.5)
    if last:
        layer = model.node("Transpose", layer, perm=[0, 3, 1, 2])
    weights = model.weights((1, channels, 3, 3))
    return model.node("Conv", layer, weights, pads=[1, 1, 1, 1])


@pytest.mark.parametrize(
    ("channels", "shape", "good"),
    [(1, (1, 4, 16), True), (2, (4, 16, 2), True), (2, (2, 4, 16), False)],
)
def test_a_stream_has_its_channels_last(
    tmp_path: Path, channels: int, shape: tuple[int, ...], good: bool
) -> None:
    model = Builder()
    output = _mask(model, channels, shape[0] == 4)
    path = model.save(tmp_path / "mask.onnx", output, ("events", *shape))
    if good:
        assert open_onnx(path, Config(), tmp_path).io_type == "io_stream"
    else:
        with pytest.raises(ModelError, match=r"channels last: x\.permute\(0, 3, 1, 2\)"):
            open_onnx(path, Config(), tmp_path)


def test_an_input_without_a_type(tmp_path: Path) -> None:
    model = Builder()
    path = model.save(tmp_path / "m.onnx", model.dense("x", 4, 2))
    with pytest.raises(ModelError, match="input x: nothing says which fixed-point type it has"):
        open_onnx(path, Config(), tmp_path)


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    """x.view(x.size(0), -1), and a quantizer behind it, which comes first."""
    model = Builder()
    size = model.node("Gather", model.node("Shape", "x"), model.constant(0, np.int64), axis=0)
    size = model.node("Unsqueeze", size, model.constant([0], np.int64))
    shape = model.node("Concat", size, model.constant([-1], np.int64), axis=0)
    layer = model.quant(model.node("Reshape", "x", shape), 6, 0.25)
    network = read(tmp_path, model, model.dense(layer, 6, 2), "events", 2, 3)
    assert kinds(network) == ["InputLayer", "QActivation", "Flatten", "QDense"]
    assert network.has_input_quantizer


def test_shifted_codes_are_codes_with_a_sign(tmp_path: Path) -> None:
    """uint8 with zero point 128 is int8."""
    model = Builder(QCDQ)
    scale, zero = model.constant(0.25), model.constant(128, np.uint8)
    codes = model.node("QuantizeLinear", "x", scale, zero)
    layer = model.node("DequantizeLinear", codes, scale, zero)
    network = read(tmp_path, model, model.dense(layer, 4, 2))
    kind = quantizer_type(network.layers[1].config["activation"])
    assert str(kind) == "fixed<8,6,RND_CONV,SAT>"


def test_four_bit_codes(tmp_path: Path) -> None:
    """int4 of newer opsets, for values and for weights."""
    model = Builder(QCDQ, opset=21)
    zero = helper.make_tensor("zero", TensorProto.INT4, [], [0])
    codes = helper.make_tensor("codes", TensorProto.INT4, [4, 2], [-8, 7, 1, 2, 3, -4, 5, 6])
    model.constants += [zero, codes]
    scale = model.constant(0.5)
    layer = model.node("QuantizeLinear", "x", scale, "zero")
    layer = model.node("DequantizeLinear", layer, scale, "zero")
    weights = model.node("DequantizeLinear", "codes", scale)
    network = read(tmp_path, model, model.node("MatMul", layer, weights))
    assert str(quantizer_type(network.layers[1].config["activation"])).startswith("fixed<4,3,")
    kernel = next(iter(network.weights.values()))[0]
    np.testing.assert_array_equal(kernel, [[-4, 3.5], [0.5, 1], [1.5, -2], [2.5, 3]])


def test_a_plain_model_whose_weights_stand_on_a_grid(tmp_path: Path) -> None:
    model = Builder()
    weights = model.constant(model.random.integers(-8, 8, (4, 3)) / 8)
    network = read(tmp_path, model, model.node("MatMul", "x", weights))
    assert not network.has_input_quantizer


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """In the file's order, whatever is made first; a relu that leaves stays."""
    model = Builder()
    second = model.node("Relu", model.dense(model.quant("b", 6, 0.25), 3, 2), name="/second/Relu")
    small = model.quant(second, 4, 0.5, signed=False)
    first = model.dense(model.quant("a", 4, 0.5, signed=False), 4, 5)
    joined = model.node("Concat", first, small, axis=1)
    outputs = (model.dense(joined, 7, 2), second)
    shapes = {"a": ("events", 4), "b": ("events", 3)}
    read_ = read_onnx_network(model.save(tmp_path / "m.onnx", outputs, shapes))
    network = read_.network
    assert network.inputs == ("a", "b")
    assert read_.logits == outputs
    assert network.outputs[1] == "second_relu"


def test_a_float_model_is_refused_with_advice(tmp_path: Path) -> None:
    """torch draws its first weights from a grid of 24 bits, which is an accident."""
    model = Builder()
    for_first = np.round(model.random.uniform(-0.5, 0.5, (4, 5)) * 2**24) / 2**24
    layer = model.node("Gemm", "x", model.constant(for_first), name="/fc1/Gemm")
    weights = model.constant(model.random.normal(size=(5, 2)))
    layer = model.node("Gemm", model.node("Relu", layer), weights, name="/fc2/Gemm")
    text = refused(tmp_path, model, layer)
    assert "has no quantizers" in text
    assert "give --data events, from which types are chosen" in text
    assert "node /fc1/Gemm (Gemm): its kernel is float" in text
    assert "node /fc2/Gemm (Gemm): its kernel is float" in text


def test_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    model = Builder()
    layer = model.quant("x", 8, 0.3)
    layer = model.dense(layer, 4, 5, scale=0.1)
    layer = model.quant(layer, 8, 0.25, rounding="FLOOR")
    layer = model.node("Elu", layer, name="/act/Elu")
    layer = model.node("BatchNormalization", layer, *[model.constant([1.0] * 4)] * 4)
    layer = model.dense(model.quant(layer, 8, 0.7), 5, 2)
    text = refused(tmp_path, model, layer)
    assert "node /quant0/Quant (Quant): the scale 0.300000012 is not a power of two" in text
    assert "RestrictValueType.POWER_OF_TWO" in text
    assert text.count("the scale 0.100000001 is not a power of two") == 2
    assert "rounding_mode FLOOR" in text
    assert "node /act/Elu (Elu): this operator has no firmware here" in text
    assert "(BatchNormalization): its gamma is no finite number for each of 5 channels" in text
    assert "the scale 0.699999988 is not a power of two" in text
    assert "is float" not in text


def _two_scales(model: Builder) -> str:
    return model.dense(model.quant("x", 8, [0.25, 0.5, 0.25, 0.25]), 4, 2)


def _zero_point(model: Builder) -> str:
    return model.dense(model.quant("x", 8, 0.25, zero=1), 4, 2)


def _bipolar(model: Builder) -> str:
    return model.dense(model.node("BipolarQuant", "x", model.constant(1.0)), 4, 2)


def _one_bit(model: Builder) -> str:
    return model.dense(model.quant("x", 1, 1.0), 4, 2)


def _middle(model: Builder) -> str:
    return model.dense(model.node("Sigmoid", model.dense("x", 4, 3)), 3, 2)


def _softmax_within(model: Builder) -> str:
    scores = model.node("Softmax", model.dense(model.quant("x", 4, 0.5), 4, 3), axis=1)
    return model.dense(model.quant(scores, 8, 2.0**-7), 3, 2)


def _tanh_at_the_end(model: Builder) -> str:
    return model.node("Tanh", model.dense(model.quant("x", 4, 0.5), 4, 3))


def _tanh_read_twice(model: Builder) -> str:
    """By a quantizer and by a layer."""
    tanh = model.node("Tanh", model.dense(model.quant("x", 4, 0.5), 4, 3))
    return model.node("Add", model.quant(tanh, 8, 2.0**-7), tanh)


def _tanh_of_one(model: Builder) -> str:
    """With codes beyond 1."""
    return model.quant(model.node("Tanh", model.quant("x", 4, 0.5)), 8, 2.0**-6)


def _sigmoid_cut(model: Builder) -> str:
    return model.quant(model.node("Sigmoid", model.quant("x", 4, 0.5)), 4, 2.0**-5, signed=False)


def _events_mixed(model: Builder) -> str:
    return model.node("Reshape", model.dense("x", 4, 4), model.constant([-1, 2], np.int64))


def _not_linear(model: Builder) -> str:
    return model.node("MatMul", "x", model.node("Relu", "x"))


def _clipped(model: Builder) -> str:
    return model.node("Clip", model.dense("x", 4, 4), model.constant(-1), model.constant(1))


def _nothing(model: Builder) -> str:
    return model.node("Relu", "y")


def _divided(model: Builder) -> str:
    return model.node("Div", model.dense("x", 4, 4), model.constant(3))


def _shifted(model: Builder) -> str:
    return model.dense(model.node("Mul", "x", model.constant(0.5)), 4, 4)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (_two_scales, "4 scales, one for each channel"),
        (_zero_point, "zero_point 1, added before rounding"),
        (_bipolar, "values of -1 and 1 alone are no fixed-point type"),
        (_one_bit, "use two bits, narrow"),
        (_middle, "(Sigmoid): in the middle of a network, and no quantizer is right behind it"),
        (_softmax_within, "(Softmax): in the middle of a network has no exact fixed-point form"),
        (_softmax_within, "train the network with HGQ2, whose QSoftmax has tables"),
        (_tanh_at_the_end, "(Tanh): in the middle of a network, and no quantizer"),
        (_tanh_read_twice, "(Tanh): in the middle of a network, and no quantizer"),
        (_tanh_of_one, "(Quant): the codes -128 to 127 in steps of 2**-6 behind a Tanh"),
        (_sigmoid_cut, "(Quant): the codes 0 to 15 in steps of 2**-5 behind a Sigmoid"),
        (_events_mixed, "(Reshape): reshapes (4,) to [-1, 2]: it mixes events"),
        (_not_linear, "(MatMul): multiplies (4,) and (4,) for each event"),
        (_clipped, "clips values at -1.0 and 1.0"),
        (_nothing, "reads y, which nothing before it makes"),
        (_divided, "(Div): has the factors [3.0, 3.0, 3.0, 3.0], which are no powers of two"),
        (_shifted, "(Mul): computes with a constant"),
    ],
)
def test_refused(tmp_path: Path, network: Network, text: str) -> None:
    model = Builder()
    assert text in refused(tmp_path, model, network(model))


def test_scales_that_differ(tmp_path: Path) -> None:
    model = Builder(QCDQ)
    codes = model.node("QuantizeLinear", "x", model.constant(0.25), model.constant(0, np.int8))
    layer = model.node("DequantizeLinear", codes, model.constant(0.5), model.constant(0, np.int8))
    assert "give both the same" in refused(tmp_path, model, model.dense(layer, 4, 2))


def test_integers_that_are_not_dequantized(tmp_path: Path) -> None:
    model = Builder(QCDQ)
    codes = model.node("QuantizeLinear", "x", model.constant(0.25), model.constant(0, np.int8))
    text = refused(tmp_path, model, model.dense(codes, 4, 2))
    assert "computes with the integers of a QuantizeLinear" in text


def test_sizes_that_are_not_fixed(tmp_path: Path) -> None:
    model = Builder()
    text = refused(tmp_path, model, model.dense("x", 4, 2), "events", "features")
    assert "its shape is ['?', '?']" in text


def changed(tmp_path: Path, change: Callable[[Any], None]) -> str:
    """What is said of the tiny model after a change to its protobuf."""
    model = onnx.load(DATA / "tiny_qonnx.onnx")
    change(model)
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    return refusal(path)


def test_numbers_in_another_file(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        tensor.ClearField("raw_data")

    assert "lie in another file, which is not opened" in changed(tmp_path, change)


def test_numbers_that_are_missing(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.graph.initializer[0].dims[0] = 10**12

    assert "cannot be read" in changed(tmp_path, change)


def test_foreign_operators_functions_and_control_flow(tmp_path: Path) -> None:
    def foreign(model: Any) -> None:
        model.graph.node[-1].domain = "com.microsoft"

    def owned(model: Any) -> None:
        model.functions.add(name="Mine", domain="own")

    def branch(model: Any) -> None:
        model.graph.node[-1].op_type = "If"

    assert "operators of the domain com.microsoft: Softmax" in changed(tmp_path, foreign)
    assert "defines functions of its own (Mine)" in changed(tmp_path, owned)
    assert "(If): controls what runs" in changed(tmp_path, branch)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.floats(0.0, 0.999))
def test_truncated_anywhere(tmp_path: Path, cut: float) -> None:
    data = (DATA / "tiny_qcdq.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * cut)])
    refusal(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.floats(0.0, 0.999), value=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(tmp_path: Path, at: float, value: int) -> None:
    data = bytearray((DATA / "tiny_qcdq_conv.onnx").read_bytes())
    data[int(len(data) * at)] = value
    path = tmp_path / "changed.onnx"
    path.write_bytes(data)
    try:
        read_onnx_network(path)
    except ModelError as error:
        assert error.blockers


def test_constants_that_would_not_fit(tmp_path: Path) -> None:
    """Doubled forty times, one number would fill every memory."""
    model = Builder()
    grown = model.constant(np.ones(64))
    for _ in range(40):
        grown = model.node("Concat", grown, grown, axis=0)
    assert "more than" in refused(tmp_path, model, model.node("Add", model.dense("x", 4, 2), grown))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/fc1/Gemm", "fc1_gemm"),
        ("x.225", "x_225"),
        ("0", "node_0"),
        ("input", "node_input"),
        ("", "node"),
        ("Käse", "k_se"),
    ],
)
def test_names_that_c_takes(name: str, expected: str) -> None:
    assert identifier(name) == expected


def test_a_normalization_becomes_one_of_keras(tmp_path: Path) -> None:
    """Of the channels, which come last in Keras; its constants are rounded later."""
    model = Builder(QONNX)
    layer = model.node("Conv", model.quant("x", 4, 0.5), model.weights((3, 2, 3, 3)))
    parts = [model.constant(values) for values in ([1.5, 0.7, 1], [0, 1, 2], [3, 4, 5], [6, 7, 8])]
    layer = model.node("BatchNormalization", layer, *parts, epsilon=1e-3, name="/bn/Normal")
    output = model.dense(model.node("Flatten", model.relu(layer)), 6, 2)
    read = read_onnx_network(model.save(tmp_path / "net.onnx", output, ("events", 2, 3, 4)))
    normal = next(item for item in read.network.layers if item.kind == "BatchNormalization")
    assert normal.config["axis"] == -1 and abs(normal.config["epsilon"] - 1e-3) < 1e-9
    assert [values.tolist() for values in read.network.weights[normal.name]][1:] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
    ]
    assert read.places[normal.name] == "node /bn/Normal (BatchNormalization)"
