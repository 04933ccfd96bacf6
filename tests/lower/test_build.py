"""What a network without convolutions cannot have."""

from __future__ import annotations

import pytest

from trigger_ml.config import load_config
from trigger_ml.errors import ConfigError
from trigger_ml.graph.model import FixedGraph, Input, Node, Relu
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.build import trace_firmware
from trigger_ml.lower.rtl import Logic

KIND = FixedType(4, 2)
GRAPH = FixedGraph(
    "net",
    (Node("x", Input(), (), (3,), KIND), Node("relu", Relu(), ("x",), (3,), KIND)),
    ("relu",),
)


def test_columns_and_flags_are_for_streams() -> None:
    asked = {"firmware.columns_per_clock": 2, "firmware.flag_bits": 1}
    with pytest.raises(ConfigError) as caught:
        trace_firmware(GRAPH, load_config(None, asked))
    assert [blocker.where for blocker in caught.value.blockers] == list(asked)
    with pytest.raises(ConfigError, match=r"firmware\.flag_bits: is for streams of columns"):
        trace_firmware(GRAPH, load_config(None, {"firmware.flag_bits": 8}))
    assert isinstance(trace_firmware(GRAPH, load_config(None)), Logic)
