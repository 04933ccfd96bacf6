"""The estimate of the HLS project, by hand-computed layers and by what hls4ml writes."""

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.graph.model import Conv2D, Dense, FixedGraph, Input, Node, Relu, frozen_codes
from trigger_ml.graph.types import FixedType
from trigger_ml.synth.hls_estimate import HlsChoice, enclosed_bits, estimate_hls, read_choices
from trigger_ml.synth.rough import rough_counts

NARROW, EIGHT, WIDE = FixedType(4, 4), FixedType(8, 8), FixedType(20, 10)

PARAMETERS = """
// hls-fpga-machine-learning insert layer-config
// fc1
struct config2 : nnet::dense_config {
    static const unsigned n_in = 3;
    static const unsigned n_out = 2;
    static const unsigned strategy = nnet::resource;
    static const unsigned reuse_factor = 4;
    static const unsigned n_zeros = 1;
};

// fc1_relu
struct relu_config3 : nnet::activ_config {
    static const unsigned reuse_factor = 1;
};

// conv
struct config4_mult : nnet::dense_config {
    static const unsigned reuse_factor = 2;
    static const unsigned strategy = nnet::latency;
};

struct config4 : nnet::conv2d_config {
    static const unsigned in_height = 5;
    static const unsigned in_width = 6;
    static const unsigned out_height = 3;
    static const unsigned reuse_factor = 2;
    static const unsigned n_partitions = 12;
};
"""


def dense(weight: list[list[int]], kind: FixedType = EIGHT, data: FixedType = NARROW) -> FixedGraph:
    codes = frozen_codes(np.array(weight))
    bias = frozen_codes(np.zeros(codes.shape[1], dtype=np.int64))
    nodes = (
        Node("x", Input(), (), (len(weight),), data),
        Node("fc1", Dense(codes, kind, bias, kind, WIDE), ("x",), bias.shape, WIDE),
        Node("relu", Relu(), ("fc1",), bias.shape, FixedType(8, 8)),
    )
    return FixedGraph("net", nodes, ("relu",))


def test_a_parallel_dense_layer_by_hand() -> None:
    """Weights 6 = 110, 1 and 5 = 101 count 2, 1 and 3 bits, times 4 of the input."""
    graph = dense([[6, 0], [1, -5], [0, 0]])
    found = estimate_hls(graph, {}, 200.0)
    (layer,) = found.layers
    assert (layer.multiplications, layer.multipliers) == (3, 3)
    assert (layer.ii_cycles, layer.dsp, layer.bram36) == (1, 0, 0)
    assert layer.lut == 4 * (2 + 1 + 3)
    assert layer.ff_at_least == 2 * 20
    # Of a period of 5 ns, 27 % are kept for routing.
    delay = rough_counts(graph)["fc1"].delay_ns
    assert layer.latency_cycles == max(-(-delay // (5 * 0.73)), 1)
    assert found.not_counted == ("relu",)
    assert found.to_json()["total"]["lut"] == layer.lut


def test_reuse_shares_multipliers_and_takes_clocks() -> None:
    """6 weights of which 2 are zero, at a reuse factor of 2: 6 / 2 - 2 / 2 multipliers."""
    graph = dense([[6, 0], [1, -5], [0, 3]])
    alone = estimate_hls(graph, {"fc1": HlsChoice()}, 200.0).layers[0]
    (layer,) = estimate_hls(graph, {"fc1": HlsChoice("resource", 2)}, 200.0).layers
    assert layer.multipliers == 2
    assert layer.ii_cycles == 2
    assert layer.latency_cycles == alone.latency_cycles + 1
    assert layer.lut == 2 * 4 * 8
    # 3 weights of 8 bits at once, 2 words deep: one block RAM.
    assert layer.bram36 == 1
    wide = estimate_hls(graph, {"fc1": HlsChoice("latency", 2)}, 200.0).layers[0]
    assert wide.bram36 == 0


@pytest.mark.parametrize(
    ("weight", "data", "dsp"), [(9, 18, 0), (10, 10, 2), (18, 27, 2), (19, 27, 4), (28, 28, 8)]
)
def test_wide_products_are_in_dsps(weight: int, data: int, dsp: int) -> None:
    graph = dense([[1], [3]], FixedType(weight, weight), FixedType(data, data))
    (layer,) = estimate_hls(graph, {}, 200.0).layers
    assert layer.dsp == dsp
    assert (layer.lut == 0) == (dsp > 0)


def test_a_convolution_makes_one_pass_for_each_place() -> None:
    weight = frozen_codes(np.array([1, 3, 0, 7]).reshape(1, 2, 1, 2))
    bias = frozen_codes(np.zeros(2, dtype=np.int64))
    operation = Conv2D(weight, EIGHT, bias, EIGHT, WIDE, (1, 1), (0, 0, 0, 0))
    nodes = (
        Node("x", Input(), (), (1, 6, 1), NARROW),
        Node("conv", operation, ("x",), (1, 5, 2), WIDE),
    )
    graph = FixedGraph("net", nodes, ("conv",))
    found = estimate_hls(graph, {"conv": HlsChoice(passes=5)}, 200.0)
    (layer,) = found.layers
    assert (layer.multiplications, layer.multipliers, layer.ii_cycles) == (15, 3, 5)
    assert layer.lut == 4 * (1 + 2 + 3)
    assert found.latency_cycles == layer.latency_cycles + 4
    (unrolled,) = estimate_hls(graph, {"conv": HlsChoice(passes=1)}, 200.0).layers
    assert (unrolled.multipliers, unrolled.ii_cycles, unrolled.lut) == (15, 1, 5 * layer.lut)


def test_latency_is_of_the_longest_path_and_ii_of_the_slowest_layer() -> None:
    graph = dense([[6, 0], [1, -5], [0, 3]])
    fast = estimate_hls(graph, {}, 200.0)
    slow = estimate_hls(graph, {"fc1": HlsChoice("resource", 3)}, 200.0)
    assert slow.latency_cycles == fast.latency_cycles + 2
    assert (fast.ii_cycles, slow.ii_cycles) == (1, 3)
    assert fast.to_json()["latency_ns"] == fast.latency_cycles * 5.0


def test_enclosed_bits() -> None:
    codes = np.array([0, 1, 2, 3, 5, 6, -8, -7, 96])
    assert list(enclosed_bits(codes)) == [0, 1, 1, 2, 3, 2, 1, 3, 2]


def test_choices_are_read_from_what_hls_reads(tmp_path: Path) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "parameters.h").write_text(PARAMETERS)
    assert read_choices(tmp_path) == {
        "fc1": HlsChoice("resource", 4, 1),
        "conv": HlsChoice("latency", 2, 12),
    }
    assert read_choices(tmp_path, stream=True)["conv"] == HlsChoice("latency", 2, 30)
    assert read_choices(tmp_path / "nowhere") == {}
