"""The fixed-point graph of a Keras network, made here in NumPy: no Keras, no hls4ml.

It takes a blink where the front-end process takes half a minute, and knows fewer layers. Every
quantizer's type is what the file says; between quantizers sums and products stay exact, in types
that :mod:`trigger_ml.frontends.reach` finds. The graph computes what the one read from hls4ml
computes, made another way: each is a witness of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.direct_weights import (
    Affine,
    accumulator_type,
    affine_weights,
    plain_type,
)
from trigger_ml.frontends.keras_merges import joined_shape
from trigger_ml.frontends.keras_network import InputGrid, KerasNetwork, Weights
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.reach import (
    Reach,
    affine_reach,
    difference_reach,
    either_reach,
    mean_reach,
    product_reach,
    sum_reach,
)
from trigger_ml.graph.merge_operations import (
    Add,
    Average,
    Maximum,
    Minimum,
    Reshape,
    Subtract,
)
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    Dense,
    FixedGraph,
    Input,
    MaxPool2D,
    Multiply,
    Node,
    Operation,
    Quantize,
    Relu,
    Transpose,
    UpSample2D,
)
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

__all__ = ["Direct", "direct_graph"]

MERGES: Final[Mapping[str, tuple[type[Operation], Callable[[Reach, Reach], Reach]]]] = {
    "Add": (Add, sum_reach),
    "Subtract": (Subtract, difference_reach),
    "Average": (Average, mean_reach),
    "Multiply": (Multiply, product_reach),
    "Maximum": (Maximum, either_reach),
    "Minimum": (Minimum, either_reach),
}


@dataclass(frozen=True, eq=False)
class Direct:
    """What is known of a network without Keras.

    name: of the network. nodes: of the layers that are known, in evaluation order. outputs:
    the network's, empty where the last layer is not among them. unknown: why a layer, or its
    activation, has no node, by the layer's name. order: names of all nodes, and of unknown layers
    in their places.
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


def direct_graph(network: KerasNetwork, grid: InputGrid | None) -> Direct:
    """The graph of a network, as far as its layers are known.

    grid: of a quantizer to put on the input of a model that has none. Raises ModelError where
    a sum is wider than the graph can hold.
    """
    unquantized = network.unquantized_inputs if grid is not None else ()
    reader = _Reader(network.weights, dict.fromkeys(unquantized, grid))
    blockers: list[Blocker] = []
    for layer in network.layers:
        try:
            reader.read(layer)
        except BlockedError as error:
            blockers += [
                Blocker(f"layer {layer.name}", item.what, item.fix) for item in error.blockers
            ]
            reader.unknown[layer.name] = "cannot be built"
        if layer.name in reader.unknown:
            reader.order.append(layer.name)
    if blockers:
        raise ModelError(blockers)
    ends = network.outputs or (network.layers[-1].name,)
    lost = any(name in reader.unknown for name in ends)
    outputs = () if lost else tuple(reader.edges[name].name for name in ends)
    # A quantized input has its node where its quantizer stands; the inputs come first.
    position = {name: index for index, name in enumerate(network.inputs)}
    order = sorted(dict.fromkeys(reader.order), key=lambda name: position.get(name, len(position)))
    nodes = tuple(reader.nodes[name] for name in order if name in reader.nodes)
    return Direct(network.name, nodes, outputs, reader.unknown, tuple(order))


@dataclass
class _Reader:
    """Walks the layers once. edges: the node that carries a layer's values, by layer."""

    weights: Weights
    grids: Mapping[str, InputGrid | None]
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[str, Node] = field(default_factory=dict)
    reaches: dict[str, Reach] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, Layer] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def read(self, layer: Layer) -> None:
        lost = [name for name in layer.inputs if name in self.unknown]
        if lost:
            self.unknown[layer.name] = f"reads {', '.join(lost)}"
            return
        if layer.inputs and layer.inputs[0] in self.waiting:
            self._quantized_input(layer, self.waiting[layer.inputs[0]])
            return
        maker = _MAKERS.get(layer.kind)
        if maker is None:
            self.unknown[layer.name] = f"the layer class {layer.kind} is not known here yet"
            return
        maker(self, layer)

    def input(self, layer: Layer) -> None:
        grid = self.grids.get(layer.name)
        if grid is None:
            self.waiting[layer.name] = layer
            return
        bits, integer, signed = grid
        mode = (Rounding.RND_CONV, Overflow.SAT)
        self._add_input(layer, FixedType(bits, integer + int(signed), signed, *mode))

    def _quantized_input(self, layer: Layer, source: Layer) -> None:
        """A quantizer on the input says the type of the input; it is no layer of its own."""
        kind = plain_type(layer.config.get("activation"))
        known = self.nodes.get(source.name)
        if kind is None or (known is not None and known.type != kind):
            self.unknown[layer.name] = "its quantizer of the input is not known here yet"
            return
        if known is None:
            self._add_input(source, kind)
        self.edges[layer.name] = self.nodes[source.name]

    def _add_input(self, layer: Layer, kind: FixedType) -> None:
        shape = tuple(int(size) for size in layer.config["batch_input_shape"][1:])
        self._add(layer, layer.name, Input(), (), Reach.of(kind, shape), kind)

    def _add(
        self,
        layer: Layer,
        name: str,
        operation: Operation,
        reads: tuple[Node, ...],
        reach: Reach,
        kind: FixedType | None = None,
    ) -> None:
        """Put a node behind what is there of a layer. kind: None for the narrowest exact one."""
        shape = tuple(int(size) for size in reach.signed.shape)
        inputs = tuple(node.name for node in reads)
        node = Node(name, operation, inputs, shape, kind or reach.type, source=name)
        self.nodes[name] = self.edges[layer.name] = node
        self.order.append(name)
        self.reaches[name] = reach

    def _reads(self, layer: Layer) -> tuple[tuple[Node, ...], list[Reach]]:
        nodes = tuple(self.edges[name] for name in layer.inputs)
        return nodes, [self.reaches[node.name] for node in nodes]

    def dense(self, layer: Layer) -> None:
        own = self._own_weights(layer)
        if own is None:
            return
        (node,), (reach,) = self._reads(layer)
        values = own.kernel_type.decode(own.kernel), own.bias_type.decode(own.bias)
        made = affine_reach(reach.low, reach.high, reach.fraction, *values)
        operation = Dense(
            own.kernel,
            own.kernel_type,
            own.bias,
            own.bias_type,
            accumulator_type(made.type, node.type, own),
        )
        self._add(layer, layer.name, operation, (node,), made)
        self._activate(layer)

    def conv2d(self, layer: Layer) -> None:
        own = self._own_weights(layer)
        if own is None:
            return
        (node,), (reach,) = self._reads(layer)
        height, width, _, filters = own.kernel.shape
        strides = (int(layer.config["strides"][0]), int(layer.config["strides"][1]))
        padding = _padding(node.shape, (height, width), strides, layer.config["padding"])
        weight = own.kernel_type.decode(own.kernel).reshape(-1, filters)
        low, high, fraction = reach.windows((height, width), strides, padding)
        made = affine_reach(low, high, fraction, weight, own.bias_type.decode(own.bias))
        operation = Conv2D(
            own.kernel,
            own.kernel_type,
            own.bias,
            own.bias_type,
            accumulator_type(made.type, node.type, own),
            strides,
            padding,
        )
        self._add(layer, layer.name, operation, (node,), made)
        self._activate(layer)

    def max_pool(self, layer: Layer) -> None:
        (node,), (reach,) = self._reads(layer)
        rows, columns = layer.config["pool_size"]
        size = (int(rows), int(columns))
        plain = layer.config["strides"] == layer.config["pool_size"]
        if not plain or node.shape[0] % size[0] or node.shape[1] % size[1]:
            self.unknown[layer.name] = f"pooling of {list(size)} is not known here yet"
            return
        self._add(layer, layer.name, MaxPool2D(size), (node,), reach.pooled(size), _wide(node))

    def up_sample(self, layer: Layer) -> None:
        (node,), (reach,) = self._reads(layer)
        rows, columns = layer.config["size"]
        size = (int(rows), int(columns))
        self._add(layer, layer.name, UpSample2D(size), (node,), reach.repeated(size), node.type)

    def concatenate(self, layer: Layer) -> None:
        nodes, reaches = self._reads(layer)
        if layer.config["axis"] not in (-1, len(nodes[0].shape)) or len(nodes) != 2:
            self.unknown[layer.name] = "joins other axes or more layers than is known here yet"
            return
        self._add(layer, layer.name, Concatenate(), nodes, reaches[0].beside(reaches[1]))

    def merge(self, layer: Layer) -> None:
        nodes, reaches = self._reads(layer)
        if len(nodes) != 2 or nodes[0].shape != nodes[1].shape:
            self.unknown[layer.name] = "joins more than is known here yet"
            return
        operation, reach = MERGES[layer.kind]
        self._add(layer, layer.name, operation(), nodes, reach(*reaches))

    def reshape(self, layer: Layer) -> None:
        (node,), (reach,) = self._reads(layer)
        made = joined_shape(layer, [node.shape])
        if isinstance(made, Blocker):
            raise ModelError(made)
        self._add(layer, layer.name, Reshape(), (node,), reach.reshape(made), _wide(node))

    def permute(self, layer: Layer) -> None:
        (node,), (reach,) = self._reads(layer)
        axes = tuple(int(axis) - 1 for axis in layer.config["dims"])
        self._add(layer, layer.name, Transpose(axes), (node,), reach.transpose(axes), _wide(node))

    def activation(self, layer: Layer) -> None:
        self.edges[layer.name] = self.edges[layer.inputs[0]]
        self._activate(layer, layer.name)

    def _activate(self, layer: Layer, name: str = "") -> None:
        """A layer's activation. name: of the node, where the activation is the layer."""
        node = self.edges[layer.name]
        reach = self.reaches[node.name]
        function: Any = layer.config.get("activation") or "linear"
        if function == "linear":
            if name:
                self._add(layer, name, Quantize(), (node,), reach, _wide(node))
        elif function == "relu":
            self._add(layer, name or f"{layer.name}_relu", Relu(), (node,), reach.rectified())
        elif (kind := plain_type(function)) is not None:
            relu = function["class_name"] == "quantized_relu"
            operation = Relu() if relu else Quantize()
            name = name or f"{layer.name}_{function['class_name']}"
            self._add(layer, name, operation, (node,), Reach.of(kind, node.shape), kind)
        else:
            what = function["class_name"] if isinstance(function, Mapping) else function
            self.unknown[layer.name] = f"the activation {what} is not known here yet"

    def _own_weights(self, layer: Layer) -> Affine | None:
        own = affine_weights(layer, self.weights[layer.name])
        if own is None:
            self.unknown[layer.name] = "a quantizer of its weights is not known here yet"
        return own


def _padding(
    shape: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int], how: str
) -> tuple[int, int, int, int]:
    """Zeros above and below, left and right; "same" puts the odd one below and right."""
    if how == "valid":
        return 0, 0, 0, 0
    around: list[int] = []
    for size, part, step in zip(shape, kernel, strides, strict=False):
        missing = max((-(-size // step) - 1) * step + part - size, 0)
        around += [missing // 2, missing - missing // 2]
    above, below, left, right = around
    return above, below, left, right


def _wide(node: Node) -> FixedType:
    """A type of the same values that neither rounds nor saturates."""
    return FixedType(node.type.width, node.type.integer, node.type.signed)


_MAKERS: Final[Mapping[str, Callable[[_Reader, Layer], None]]] = {
    "InputLayer": _Reader.input,
    "QDense": _Reader.dense,
    "QConv2D": _Reader.conv2d,
    "MaxPooling2D": _Reader.max_pool,
    "UpSampling2D": _Reader.up_sample,
    "Concatenate": _Reader.concatenate,
    **{kind: _Reader.merge for kind in MERGES},
    "Flatten": _Reader.reshape,
    "Reshape": _Reader.reshape,
    "Permute": _Reader.permute,
    "QActivation": _Reader.activation,
    "Activation": _Reader.activation,
}
