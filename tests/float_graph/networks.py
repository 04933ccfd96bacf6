"""Small float Keras models for tests, written without Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tests.frontends.keras_json import Item, keras_input, layer
from trigger_ml.float_graph.layers import read_float_layer
from trigger_ml.frontends.keras_files import checked_network
from trigger_ml.frontends.keras_network import KerasNetwork, Weights
from trigger_ml.frontends.keras_origins import origin_of
from trigger_ml.frontends.model_file import Layer

Arrays = Mapping[str, tuple[NDArray[np.float32], ...]]


@dataclass(frozen=True)
class Model:
    """Layers as Keras lists them, weights, and the outputs' names where there are several."""

    items: Sequence[Item]
    weights: Arrays
    outputs: Sequence[str] = ()

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": "net", "layers": list(self.items)}
        if self.outputs:
            config["output_layers"] = [[name, 0, 0] for name in self.outputs]
        return {"class_name": "Functional", "config": config}

    def read(self) -> KerasNetwork:
        return checked_network(
            self.config,
            Path("net.h5"),
            "0" * 64,
            self._arrays,
            read_float_layer,
            written_out=True,
        )

    def _arrays(self, layers: Sequence[Layer]) -> Weights:
        """Those of the layers that are written for the ones of the file."""
        found = dict(self.weights)
        for item in layers:
            origin = origin_of(item.config)
            name = origin.steps[0].name if origin else item.name
            if name in self.weights:
                found[item.name] = self.weights[name]
        return found

    def save(self, path: Path) -> Path:
        """A Keras 2 ``.h5``."""
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(self.config)
            for name, arrays in self.weights.items():
                group = file.create_group(f"model_weights/{name}")
                names = [f"{name}/array_{position}:0" for position in range(len(arrays))]
                group.attrs["weight_names"] = names
                for key, values in zip(names, arrays, strict=True):
                    group[key] = values
        return path


def draw(seed: int, *shape: int, scale: float = 0.5) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).normal(0, scale, shape)
    return np.asarray(values, np.float32)


def normal(seed: int, channels: int) -> tuple[NDArray[np.float32], ...]:
    """Constants of a BatchNormalization."""
    parts = [draw(seed + at, channels) for at in range(4)]
    return parts[0] + 1, parts[1], parts[2], parts[3] ** 2 + np.float32(0.5)


def conv(name: str, read: str, filters: int, size: int | Sequence[int] = 3, **config: Any) -> Item:
    kind = config.pop("kind", "Conv2D")
    axes = 1 if "1D" in kind else 2
    size = [size] * axes if isinstance(size, int) else list(size)
    options = {"strides": [1] * axes, "padding": "valid", **config}
    return layer(kind, name, (read,), filters=filters, kernel_size=size, **options)


def image_model() -> Model:
    """Conv2D, BatchNormalization, ReLU, MaxPooling2D, Flatten, Dense, Dense with softmax: 6x6x1."""
    items = [
        keras_input("image", 6, 6, 1),
        conv("conv", "image", 3, use_bias=False),
        layer("BatchNormalization", "bn", ("conv",), axis=[3]),
        layer("ReLU", "relu", ("bn",), max_value=None, negative_slope=0.0, threshold=0.0),
        layer("MaxPooling2D", "pool", ("relu",), pool_size=[2, 2], padding="valid"),
        layer("Flatten", "flat", ("pool",)),
        layer("Dense", "hidden", ("flat",), units=4, activation="relu"),
        layer("Dense", "out", ("hidden",), units=3, activation="softmax"),
    ]
    weights = {
        "conv": (draw(1, 3, 3, 1, 3),),
        "bn": normal(2, 3),
        "hidden": (draw(6, 12, 4), draw(7, 4)),
        "out": (draw(8, 4, 3), draw(9, 3)),
    }
    return Model(items, weights)


def rich_model() -> Model:
    """Two inputs, two outputs, and every kind of layer that is written in another way: 7x7x2, 3."""
    items = [
        keras_input("image", 7, 7, 2),
        keras_input("extra", 3),
        conv("sep", "image", 4, kind="SeparableConv2D", padding="same", depth_multiplier=1),
        layer("LeakyReLU", "leaky", ("sep",), alpha=0.3),
        conv("side", "leaky", 4, padding="same", activation="relu"),
        layer("Add", "sum", ("leaky", "side")),
        layer(
            "AveragePooling2D", "mean", ("sum",), pool_size=[3, 3], strides=[2, 2], padding="valid"
        ),
        layer("UpSampling2D", "up", ("mean",), size=[2, 2], interpolation="nearest"),
        layer("ZeroPadding2D", "zeros", ("up",), padding=[[1, 1], [1, 1]]),
        layer(
            "DepthwiseConv2D",
            "deep",
            ("zeros",),
            kernel_size=[3, 3],
            strides=[1, 1],
            padding="valid",
            depth_multiplier=1,
        ),
        layer("BatchNormalization", "bn", ("deep",)),
        layer("Activation", "bent", ("bn",), activation="relu6"),
        layer("BatchNormalization", "late", ("bent",)),
        layer("GlobalAveragePooling2D", "all", ("late",)),
        layer("Dense", "mix", ("all",), units=4, activation="leaky_relu"),
        layer("Dense", "more", ("extra",), units=4, activation="tanh"),
        layer("Concatenate", "both", ("mix", "more")),
        layer("PReLU", "slopes", ("both",)),
        layer("Dense", "first", ("slopes",), units=2),
        layer("Dense", "second", ("mix",), units=1),
    ]
    weights = {
        "sep": (draw(1, 3, 3, 2, 1), draw(2, 1, 1, 2, 4), draw(3, 4)),
        "side": (draw(4, 3, 3, 4, 4, scale=0.2), draw(5, 4)),
        "deep": (draw(6, 3, 3, 4, 1), draw(7, 4)),
        "bn": normal(8, 4),
        "late": normal(12, 4),
        "mix": (draw(16, 4, 4), draw(17, 4)),
        "more": (draw(18, 3, 4), draw(19, 4)),
        "slopes": (np.linspace(-0.3, 0.5, 8).astype(np.float32),),
        "first": (draw(20, 8, 2), draw(21, 2)),
        "second": (draw(22, 4, 1), draw(23, 1)),
    }
    return Model(items, weights, ("first", "second"))


def sequence_model() -> Model:
    """Layers along nine steps, some of them dense on each step: 9x3."""
    items = [
        keras_input("steps", 9, 3),
        layer("BatchNormalization", "scaled", ("steps",)),
        conv("conv", "scaled", 4, kind="Conv1D", activation="relu"),
        conv(
            "sep",
            "conv",
            4,
            kind="SeparableConv1D",
            padding="same",
            depth_multiplier=2,
            activation="relu",
        ),
        layer("Dense", "shared", ("sep",), units=5, activation="relu"),
        layer("BatchNormalization", "bn", ("shared",)),
        layer("GlobalAveragePooling1D", "mean", ("bn",)),
        layer("Dense", "out", ("mean",), units=2),
    ]
    weights = {
        "scaled": normal(30, 3),
        "conv": (draw(1, 3, 3, 4), draw(2, 4)),
        "sep": (draw(3, 3, 4, 2), draw(4, 1, 8, 4), draw(5, 4)),
        "shared": (draw(6, 4, 5), draw(7, 5)),
        "bn": normal(8, 5),
        "out": (draw(12, 5, 2), draw(13, 2)),
    }
    return Model(items, weights)


def shared_model() -> Model:
    """A layer used three times, one in TimeDistributed and a tensor with a kernel: 4x3."""
    inner = {"class_name": "Dense", "config": {"name": "inner", "units": 3, "activation": "tanh"}}
    again = layer("Dense", "again", (), units=3)
    again["inbound_nodes"] = [[["each", 0, 0, {}]], *([["again", n, 0, {}]] for n in range(2))]
    items = [
        keras_input("steps", 4, 3),
        layer("TimeDistributed", "each", ("steps",), layer=inner),
        again,
        layer(
            "EinsumDense",
            "turned",
            (),
            equation="abc,cd->adb",
            output_shape=[2, 4],
            bias_axes="d",
            activation="relu",
        ),
        layer("Flatten", "flat", ("turned",)),
        layer("Dense", "out", ("flat",), units=2),
    ]
    items[3]["inbound_nodes"] = [[["again", 2, 0, {}]]]
    weights = {
        "each": (draw(1, 3, 3), draw(2, 3)),
        "again": (draw(3, 3, 3), draw(4, 3)),
        "turned": (draw(5, 3, 2), draw(6, 2, 1)),
        "out": (draw(7, 8, 2), draw(8, 2)),
    }
    return Model(items, weights)
