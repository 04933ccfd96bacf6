"""The fixed-point graph of a Keras network, made here in NumPy: no Keras, no hls4ml.

It takes a blink where the front-end process takes half a minute. The graph is equal to the one
that is read from hls4ml's converted model, node by node, type by type and weight by weight, and
made another way: each is a witness of the other. A few numbers TensorFlow alone can tell (a
quantizer of weights whose result hangs on the last bit of a sum or a logarithm), and layers of
other classes have no rule here; such layers, and what reads them, are left out with the reason.

Modules: ``direct_units`` lists the layers and settles types, with rules of the layers in
``direct_affine``, ``direct_windows``, ``direct_merges`` and ``direct_activations``;
``direct_passes`` leaves out what hls4ml melts together; ``direct_prepared`` rounds, tabulates and
quantizes before, with the quantizers of ``direct_quantizers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.direct_prepared import converted
from trigger_ml.frontends.direct_units import KNOWN, NotKnown
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS
from trigger_ml.frontends.keras_network import InputGrid, KerasNetwork
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS
from trigger_ml.frontends.model_file import Layer
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.verify import verify

__all__ = ["Direct", "direct_graph"]

CLASSES: Final = frozenset(("InputLayer", *KNOWN, *CONVOLUTIONS, *NORMALIZATIONS))
"""Of layers that are known."""


@dataclass(frozen=True, eq=False)
class Direct:
    """What is known of a network without Keras.

    name: of the network. nodes: of the layers that are known, in evaluation order. outputs:
    the network's, empty where one of them is not known. unknown: why a layer has no node, by the
    layer's name. order: names of all nodes, and of unknown layers behind them.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    unknown: Mapping[str, str]
    order: tuple[str, ...]

    @property
    def known(self) -> FixedGraph:
        """The part that is known; it may have no outputs, so it is not verified."""
        return FixedGraph(self.name, self.nodes, self.outputs)

    @property
    def graph(self) -> FixedGraph:
        """The whole graph. Raises ModelError naming the layers that are not known."""
        if self.unknown:
            fix = "read it with the framework instead"
            found = self.unknown.items()
            raise ModelError([Blocker(f"layer {name}", what, fix) for name, what in found])
        return verify(FixedGraph(self.name, self.nodes, self.outputs))


def direct_graph(
    network: KerasNetwork, grid: InputGrid | None, *, stream: bool | None = None
) -> Direct:
    """The graph of a network, as far as its layers are known.

    grid: of a quantizer to put on the input of a model that has none. stream: it becomes a stream
    of columns; where nothing is said, as ``firmware.io_type: auto`` does. Raises ModelError where
    the network cannot become firmware: a sum is wider than the graph can hold, for instance.
    """
    stream = network.streamable if stream is None else stream
    reasons = {
        layer.name: f"the layer class {layer.kind} is not known here yet"
        for layer in network.layers
        if layer.kind not in CLASSES
    }
    while True:
        unknown = _with_readers(network.layers, reasons)
        part = _without(network, unknown)
        try:
            graph = converted(part, grid, stream=stream).graph(network.name)
        except NotKnown as reason:
            place = _place(network.layers, reason.layer)
            assert network.layers[place].name not in unknown, reason.layer
            reasons[network.layers[place].name] = reason.what
            continue
        order = [node.name for node in graph.nodes]
        if not unknown:
            return Direct(network.name, graph.nodes, graph.outputs, {}, tuple(order))
        order = sorted([*order, *unknown], key=lambda name: _place(network.layers, name))
        ends = network.outputs or (network.layers[-1].name,)
        outputs = graph.outputs if unknown.keys().isdisjoint(ends) else ()
        return Direct(network.name, graph.nodes, outputs, unknown, tuple(order))


def _without(network: KerasNetwork, unknown: Mapping[str, str]) -> KerasNetwork:
    """The rest of a network; what nothing of it reads leaves it."""
    if not unknown:
        return network
    known = tuple(layer for layer in network.layers if layer.name not in unknown)
    read = {name for layer in known for name in layer.inputs}
    return replace(
        network,
        layers=known,
        outputs=tuple(layer.name for layer in known if layer.name not in read),
    )


def _place(layers: tuple[Layer, ...], name: str) -> int:
    """Position of the layer that a node is of: its name, or the start of it."""
    starts = [len(layer.name) if name.startswith(layer.name) else -1 for layer in layers]
    return max(range(len(layers)), key=starts.__getitem__)


def _with_readers(layers: tuple[Layer, ...], reasons: Mapping[str, str]) -> dict[str, str]:
    """Layers that are not known, and those that read them, in their order."""
    found: dict[str, str] = {}
    for layer in layers:
        lost = [name for name in layer.inputs if name in found]
        if layer.name in reasons:
            found[layer.name] = reasons[layer.name]
        elif lost:
            found[layer.name] = f"reads {', '.join(lost)}"
    return found
