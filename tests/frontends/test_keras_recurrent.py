"""Recurrent layers are read for hls4ml's project, and refused where RTL is made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.recurrent_models import BITS, SIGMOID, TANH, recurrent, write_h5
from trigger_ml.config import load_config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.client import open_model
from trigger_ml.frontends.keras_hls_layers import read_hls_layer, read_recurrent_network
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_recurrent import RECURRENT, cell_function, recurrent_shape
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.recurrent_client import open_recurrent


@pytest.mark.parametrize("kind", RECURRENT)
def test_what_decides_the_output_is_read(kind: str) -> None:
    dropped = {"dropout": 0.5, "unroll": True, "implementation": 1, "unit_forget_bias": True}
    read = read_hls_layer(kind, "rec", recurrent(kind, **dropped))
    assert read["units"] == 3
    assert read["activation"] == "tanh"
    assert read["return_sequences"] is False
    assert not dropped.keys() & read.keys()
    assert ("recurrent_activation" in read) is not kind.endswith("SimpleRNN")
    assert ("kernel_quantizer" in read) is kind.startswith("Q")
    assert read.get("reset_after", True) is True


def test_quantizers_of_a_cell_are_plain_data() -> None:
    options = {"activation": TANH, "recurrent_activation": SIGMOID, "state_quantizer": BITS}
    read = read_hls_layer("QLSTM", "rec", recurrent("QLSTM", **options))
    assert cell_function(read["activation"]) == "tanh"
    assert cell_function(read["recurrent_activation"]) == "sigmoid"
    assert read["state_quantizer"]["config"]["bits"] == 6


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("LSTM", {"stateful": True}, "keeps its state"),
        ("GRU", {"go_backwards": True}, "from the last to the first"),
        ("LSTM", {"return_state": True}, "hands its state on"),
        ("LSTM", {"time_major": True}, "steps before events"),
        ("GRU", {"reset_after": False}, "reset_after=True"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "no hard_sigmoid activation"),
        ("LSTM", {"activation": None}, "no linear activation"),
        ("LSTM", {"activation": "gelu"}, "no 'gelu'"),
        ("QLSTM", {"activation": "quantized_tanh(8)"}, "quantized_tanh of lines"),
        ("QLSTM", {"activation": "quantized_relu(8,2)"}, "no quantized_relu"),
        ("QGRU", {"recurrent_quantizer": None}, "weights stay float"),
        ("QGRU", {"kernel_quantizer": "__import__('os')"}, "no fixed-point meaning here"),
        ("QLSTM", {"state_quantizer": "quantized_relu(8)"}, "no type of a state"),
        ("GRU", {"units": 0}, "0 units"),
    ],
)
def test_what_hls4ml_would_compute_otherwise_is_refused(
    kind: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read_hls_layer(kind, "rec", recurrent(kind, **options))
    assert says in str(caught.value)


def test_all_blockers_of_a_layer_come_at_once() -> None:
    wrong = {"stateful": True, "go_backwards": True, "activation": "elu", "reset_after": False}
    with pytest.raises(ModelError) as caught:
        read_hls_layer("GRU", "rec", recurrent("GRU", **wrong))
    assert len(caught.value.blockers) == 4
    assert all(blocker.fix for blocker in caught.value.blockers)


@pytest.mark.parametrize("kind", ["Bidirectional", "TimeDistributed", "Masking", "Conv1D"])
def test_what_may_not_stand_beside_it(kind: str) -> None:
    with pytest.raises(ModelError, match="is not read"):
        read_hls_layer(kind, "other", {"name": "other"})


@pytest.mark.parametrize("kind", RECURRENT)
def test_rtl_has_none_and_the_way_out_is_named(kind: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_layer(kind, "rec", recurrent(kind, stateful=True))
    first, second = caught.value.blockers
    assert first.what == f"{kind}: RTL has no recurrent layers yet"
    assert "--hls-only (firmware.rtl: false)" in first.fix
    assert "keeps its state" in second.what


def test_shapes() -> None:
    one = Layer("rec", "LSTM", ("x",), {"units": 5, "return_sequences": False})
    every = Layer("rec", "LSTM", ("x",), {"units": 5, "return_sequences": True})
    assert recurrent_shape(one, (4, 3)) == (5,)
    assert recurrent_shape(every, (4, 3)) == (4, 5)
    assert "not steps x features" in str(recurrent_shape(one, (12,)))


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    network = read_recurrent_network(write_h5(tmp_path / "m.h5", "GRU"))
    assert network is not None
    assert [layer.kind for layer in network.layers] == ["InputLayer", "GRU", "Dense"]
    assert network.tail == "softmax"
    assert [values.shape for values in network.weights["rec"]] == [(3, 9), (3, 9), (2, 9)]
    assert network.parameters == 27 + 27 + 18 + 9 + 3


def test_a_cell_keeps_its_tables(tmp_path: Path) -> None:
    options = {"activation": TANH, "recurrent_activation": SIGMOID}
    network = read_recurrent_network(write_h5(tmp_path / "m.h5", "QLSTM", **options))
    assert network is not None
    assert [layer.kind for layer in network.layers] == ["InputLayer", "QLSTM", "QDense"]
    assert network.layers[1].config["activation"]["class_name"] == "quantized_tanh"


def test_a_file_without_any_is_not_for_it() -> None:
    tiny = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"
    assert read_recurrent_network(tiny) is None


def test_the_last_cell_keeps_its_activation(tmp_path: Path) -> None:
    """A sigmoid within a cell is no decision behind the network."""
    import json

    import h5py

    path = write_h5(tmp_path / "m.h5", "GRU", activation="sigmoid")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        del config["config"]["layers"][-1]
        file.attrs["model_config"] = json.dumps(config)
    network = read_recurrent_network(path)
    assert network is not None
    assert (network.tail, network.layers[-1].config["activation"]) == ("", "sigmoid")


def test_compiling_to_rtl_lists_what_stands_in_the_way(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", "LSTM")
    with pytest.raises(ModelError) as caught:
        open_model(path, load_config(None, {"firmware.input_type": "fixed<8,3>"}), tmp_path)
    assert [blocker.where for blocker in caught.value.blockers] == ["layer rec", "layer out"]


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("SimpleRNN", {}, "use --backend Quartus"),
        ("LSTM", {"firmware.backend": "Quartus"}, "use --backend Vitis"),
        ("GRU", {"firmware.output": "softmax"}, "ends in its logits"),
        ("GRU", {"firmware.io_type": "io_stream"}, "io_parallel alone"),
        ("GRU", {"firmware.input_type": None}, "nothing says which fixed-point type"),
    ],
)
def test_choices_that_cannot_be(
    tmp_path: Path, kind: str, options: dict[str, Any], says: str
) -> None:
    given = {"firmware.rtl": False, "firmware.input_type": "fixed<8,3>", **options}
    config = load_config(None, given)
    with pytest.raises(ModelError) as caught:
        open_recurrent(write_h5(tmp_path / "m.h5", kind), config, tmp_path)
    assert says in str(caught.value)


def test_keras_3_puts_the_arrays_of_a_cell_deeper(tmp_path: Path) -> None:
    import h5py

    from trigger_ml.frontends.keras_weights import keras3_weights

    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("layers/lstm/vars")
        for number in range(3):
            file.create_dataset(f"layers/lstm/cell/vars/{number}", data=np.full(2, number))
        found = keras3_weights(file, [Layer("rec", "LSTM", ("x",), {})])
    assert [int(values[0]) for values in found["rec"]] == [0, 1, 2]
