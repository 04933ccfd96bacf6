"""onnxruntime as an oracle: the file as it is, and Quant by its definition."""

import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.onnx_models import QCDQ, QONNX, Builder, rounded
from trigger_ml.errors import ModelError
from trigger_ml.frontends.onnx_rewrite import LOGITS, runnable
from trigger_ml.frontends.onnx_worker import _Server, _session
from trigger_ml.frontends.opened import Process
from trigger_ml.graph.types import FixedType
from trigger_ml.serving import ask

DATA = Path(__file__).parents[1] / "data"


def run(model: Any, values: NDArray[Any], logits: str) -> NDArray[Any]:
    """The tensor ``logits`` by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = runnable(model, [logits]).SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    made: NDArray[Any] = session.run([f"{LOGITS}0"], {"x": values.astype(np.float32)})[0]
    return made


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(1, 12),
    exponent=st.integers(-10, 4),
    signed=st.booleans(),
    narrow=st.booleans(),
    mode=st.sampled_from(["ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO"]),
    opset=st.sampled_from([9, 20]),
)
def test_quant_by_its_definition(
    bits: int, exponent: int, signed: bool, narrow: bool, mode: str, opset: int
) -> None:
    """Every multiple of a quarter step from far below to far above the range."""
    scale = 2.0**exponent
    model = Builder(QONNX, opset=opset)
    output = model.quant("x", bits, scale, signed, narrow, mode)
    span = 2**bits + 3
    values = np.arange(-4 * span, 4 * span + 1)[:, None] * scale / 4
    if bits == 1 and signed:
        expected = np.where(values >= 0, scale, -scale)
    else:
        low = narrow - 2 ** (bits - 1) if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        how = {"ROUND": np.rint, "FLOOR": np.floor, "CEIL": np.ceil}.get(mode, np.trunc)
        expected = how(np.clip(values / scale, low, high)) * scale
    np.testing.assert_array_equal(run(model.model(output, ("n", 1)), values, output), expected)


def test_bipolar_quant() -> None:
    model = Builder()
    output = model.node("BipolarQuant", "x", model.constant(0.25))
    values = np.array([[-1e-9, 0.0, 3.0, -2.0]])
    made = run(model.model(output), values, output)
    np.testing.assert_array_equal(made, [[-0.25, 0.25, 0.25, -0.25]])


@contextmanager
def served(path: Path, logits: str, tail: str, work: Path) -> Iterator[Any]:
    process = Process("trigger_ml.frontends.onnx_worker", request(path, logits, tail))
    worker, answer = process.start(work)
    assert set(answer["versions"]) == {"onnx", "onnxruntime", "numpy"}
    try:
        yield worker
    finally:
        worker.close()


def request(path: Path, logits: str, tail: str) -> dict[str, Any]:
    return {"file": str(path), "logits": [logits], "tail": tail}


def evaluated(server: _Server, values: NDArray[Any], work: Path) -> tuple[NDArray[Any], Path]:
    np.save(work / "in.npy", values.astype(np.float32))
    files = {name: str(work / f"{name}.npy") for name in ("outputs", "tail_outputs")}
    server.evaluate({"inputs": str(work / "in.npy"), **files})
    return np.load(files["outputs"]), Path(files["tail_outputs"])


def test_a_process_that_answers(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    np.save(tmp_path / "in.npy", values)
    files = {name: str(tmp_path / f"{name}.npy") for name in ("outputs", "tail_outputs")}
    logits = "/logits/Gemm_output_0"
    with served(DATA / "tiny_qcdq.onnx", logits, "softmax", tmp_path) as worker:
        ask(worker, do="evaluate", inputs=str(tmp_path / "in.npy"), **files)
    made, tail = np.load(files["outputs"]), np.load(files["tail_outputs"])
    assert (made.shape, made.dtype) == ((7, 3), np.float64)
    expected = np.exp(made) / np.exp(made).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tail, expected, rtol=1e-6)


def test_both_dialects_say_the_same(tmp_path: Path) -> None:
    """One file says that it takes one event, the other any number; both graphs take any."""
    values = np.random.default_rng(2).uniform(-3, 3, (500, 4))
    found = []
    for name in ("tiny_qonnx.onnx", "tiny_qcdq.onnx"):
        server = _Server()
        server.load(request(DATA / name, "/logits/Gemm_output_0", "softmax"))
        found.append(evaluated(server, values, tmp_path)[0])
        assert server._batch > 1
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0], axis=0)) > 100


@pytest.mark.parametrize("shape", [("n", 4), (1, 4), (8, 4)])
def test_any_number_of_events(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    """Files for any number, for one at a time, and for eight."""
    model = Builder(QCDQ)
    path = model.save(tmp_path / "m.onnx", model.quant("x", 8, 0.25), shape)
    server = _Server()
    server.load(request(path, model.nodes[-1].output[0], ""))
    values = np.random.default_rng(3).normal(0, 20, (21, 4)).astype(np.float32)
    made, tail = evaluated(server, values, tmp_path)
    np.testing.assert_array_equal(made, rounded(values.astype(np.float64), 0.25, -128, 127))
    assert not tail.exists()


@pytest.mark.parametrize("count", ["events", 1])
def test_a_graph_that_takes_one_event(tmp_path: Path, count: str | int) -> None:
    model = Builder(QCDQ)
    output = model.node("Reshape", "x", model.constant([1, 4], np.int64))
    path = model.save(tmp_path / "m.onnx", output, (count, 2, 2))
    server = _Server()
    server.load(request(path, output, ""))
    values = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(evaluated(server, values, tmp_path)[0], values)
    assert server._batch == 1


def test_a_graph_that_mixes_events(tmp_path: Path) -> None:
    """A softmax over the events gives one for one event, and something else for two."""
    model = Builder(QCDQ)
    output = model.node("Softmax", "x", axis=0)
    server = _Server()
    server.load(request(model.save(tmp_path / "m.onnx", output, (1, 4)), output, ""))
    assert server._batch == 1


def test_images_keep_their_order(tmp_path: Path) -> None:
    """A flat row is channels, rows, columns."""
    model = Builder(QCDQ)
    output = model.node("GlobalAveragePool", "x")
    path = model.save(tmp_path / "m.onnx", output, ("events", 2, 2, 3))
    server = _Server()
    server.load(request(path, output, ""))
    values = np.array([[1.0] * 6 + [2.0] * 6, [0.0, 6.0] * 3 + [4.0] * 6])
    np.testing.assert_array_equal(evaluated(server, values, tmp_path)[0], [[1, 2], [3, 4]])


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """A row holds the inputs one after another; so does a row of outputs."""
    model = Builder(QCDQ)
    outputs = [model.node("Sub", "b", "a"), model.node("Relu", "a")]
    shapes = {"a": ("events", 1, 2), "b": ("events", 2, 2)}
    path = model.save(tmp_path / "m.onnx", outputs, shapes)
    server = _Server()
    server.load({"file": str(path), "logits": outputs, "tail": ""})
    made = evaluated(server, np.array([[1.0, -2, 3, 4, 5, 6]]), tmp_path)[0]
    np.testing.assert_array_equal(made, [[2, 6, 4, 8, 1, 0]])


def test_what_onnxruntime_refuses(tmp_path: Path) -> None:
    model = Builder(QCDQ)
    output = model.node("MatMul", "x", model.constant(np.ones((3, 2))))
    path = model.save(tmp_path / "m.onnx", output)
    with pytest.raises(ModelError, match="onnxruntime cannot run it"):
        _Server().load(request(path, output, ""))


@pytest.mark.skipif(importlib.util.find_spec("qonnx") is None, reason="qonnx is not installed")
def test_quant_as_qonnx_executes_it() -> None:
    """The library that defined the operator, where somebody has it."""
    from qonnx.custom_op.general.quant import quant

    model = Builder()
    output = model.quant("x", 5, 0.125, narrow=True)
    values = np.linspace(-4, 4, 1025).astype(np.float32)[:, None]
    expected = quant(values, np.float32(0.125), np.float32(0), np.float32(5), 1, 1, "ROUND")
    made = run(model.model(output, ("n", 1)), values, output)
    np.testing.assert_array_equal(made, expected)
    assert math.isclose(float(made.max()), 15 / 8)


@pytest.mark.parametrize("narrowed", [False, True])
def test_a_normalization_has_the_constants_that_firmware_has(narrowed: bool) -> None:
    model = Builder(QCDQ)
    constants = [model.constant(values) for values in ([1.3, 0.7], [0.1, -0.2], [0.3, 0], [2, 1])]
    name = "/bn/BatchNormalization"
    output = model.node("BatchNormalization", "x", *constants, name=name)
    made = model.model(output, ("events", 2))
    values = np.random.default_rng(1).normal(0, 3, (50, 2)).astype(np.float32)
    grid = FixedType(5, 3, True)
    known = {
        "scale": [0.75, -1.25],
        "bias": [0.5, 0.125],
        "grid": grid.to_json() if narrowed else None,
    }
    changed = runnable(made, [output], {f"node {name} (BatchNormalization)": known})
    session = _session(changed.SerializeToString())
    found = session.run([f"{LOGITS}0"], {"x": values})[0]
    read = rounded(values, 0.25, -16, 15) if narrowed else values
    expected = read * np.array([0.75, -1.25]) + np.array([0.5, 0.125])
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if narrowed else 1e-6)
    assert not np.allclose(run(made, values, output), found, atol=0.01)
