"""Which networks of HGQ2 can be streams of columns: images in and out, one width for each tensor.

hls4ml's streams cast all elements of a tensor to one type, where it is made: a quantizer with a
width for each element or channel, and one of several readers of a tensor, have no place there. A
stream of columns treats all columns alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError, ModelError
from trigger_ml.frontends.keras_merges import ELEMENTWISE
from trigger_ml.frontends.keras_streams import stream_problems
from trigger_ml.frontends.keras_v3_layers import RULES
from trigger_ml.frontends.keras_v3_rules import Shape
from trigger_ml.frontends.model_file import Layer
from trigger_ml.gathering import Gathering

__all__ = ["hgq_interface", "unstreamed_quantizers"]

CONVOLUTION: Final = "QConv2D"
POOLING: Final = ("MaxPooling2D", "AveragePooling2D")


def hgq_interface(layers: Sequence[Layer], outputs: Sequence[str], config: Config) -> str:
    """hls4ml's interface of a network, which has no other problem.

    Raises ConfigError or ModelError where the configuration asks for what it cannot have.
    """
    shapes = _shapes(layers)
    ends = [shapes[name] for name in outputs]
    if any(len(shape) == 3 for shape in ends):
        blockers = config.pixel_problems()
        if blockers:
            raise ConfigError(blockers)
    convolves = any(layer.kind == CONVOLUTION for layer in layers)
    single = sum(layer.kind == "InputLayer" for layer in layers) == len(ends) == 1
    image = single and len(ends[0]) == len(shapes[layers[0].name]) == 3
    left = unstreamed_quantizers(layers, shapes) if convolves and image else []
    streamable = convolves and image and not left
    if config.firmware.io_type == "io_stream" and left:
        raise ModelError(left)
    if config.firmware.io_type == "io_stream" and convolves and not image:
        what = "a stream of columns reads one image and ends in one"
        raise ConfigError(Blocker("firmware.io_type", what, "use firmware.io_type: auto"))
    if config.firmware.streams(streamable):
        _require_stream(layers, config)
    return config.firmware.interface(streamable)


def _require_stream(layers: Sequence[Layer], config: Config) -> None:
    """Refuse layers, windows and settings that no stream has, all of them at once."""
    found = Gathering()
    blockers = stream_problems([_as_keras(layer) for layer in layers])
    if blockers:
        found.run(lambda: _raise(blockers))
    found.run(config.require_streamable)
    found.finish()


def _raise(blockers: Sequence[Blocker]) -> None:
    raise ModelError(blockers)


def _as_keras(layer: Layer) -> Layer:
    """The layer of Keras 2 that has its windows and its place in a stream."""
    if layer.kind == "InputLayer":
        return replace(layer, config={"batch_input_shape": layer.config["batch_shape"]})
    if layer.kind == "Quantizer":
        return replace(layer, kind="Activation")
    plain = layer.kind.removeprefix("Q").replace("AveragePow2", "Average")
    return replace(layer, kind=plain) if plain in (*ELEMENTWISE, *POOLING) else layer


def _shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """Shape of what leaves each layer; the network has been found to fit together."""
    known: dict[str, Shape] = {}
    for layer in layers:
        found = RULES[layer.kind].shape(layer, [known[name] for name in layer.inputs])
        assert not isinstance(found, Blocker), found
        known[layer.name] = found
    return known


def unstreamed_quantizers(layers: Sequence[Layer], shapes: Mapping[str, Shape]) -> list[Blocker]:
    """A blocker for each quantizer of data that hls4ml's streams cannot hold."""
    blockers = []
    readers = Counter(name for layer in layers for name in layer.inputs)
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        for where, quantizer, read in _quantizers(layer):
            shape, place = shapes[read], f"layer {layer.name} {where}"
            if not _is_even(quantizer["config"], len(shape) + 1):
                axes = tuple(range(len(shape) + 1))
                what = "has a width for each element or channel, and a stream one for a tensor"
                fix = f"train it with homogeneous_axis={axes}, or firmware.io_type: io_parallel"
                blockers.append(Blocker(place, what, f"{fix} for a small image"))
            if read != layer.name and _ends_quantized(by_name[read]):
                what = f"rounds {read} again, which is quantized, and a stream has one type for it"
                fix = f"keep one of the two: enable_iq=False in what reads {read}"
                blockers.append(Blocker(place, what, fix))
            elif read != layer.name and readers[read] > 1:
                what = f"is one of {readers[read]} readers of {read}, and a stream has one type"
                once = f"quantize {read} once, by its enable_oq=True or a Quantizer behind it"
                fix = f"{once}, and give all that reads it enable_iq=False"
                blockers.append(Blocker(place, what, fix))
    return blockers


def _quantizers(layer: Layer) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Key and serialized form of each quantizer of data, and the layer whose result it reads."""
    config = layer.config
    if layer.kind == "Quantizer":
        yield "config", config["config"], layer.inputs[0]
    if config.get("enable_iq") and config.get("iq_conf"):
        yield "iq_conf", config["iq_conf"], layer.inputs[0]
    if config.get("enable_iq") and config.get("iq_confs"):
        for place, (name, item) in enumerate(zip(layer.inputs, config["iq_confs"], strict=True)):
            yield f"iq_confs {place}", item, name
    if config.get("enable_oq") and config.get("oq_conf"):
        yield "oq_conf", config["oq_conf"], layer.name


def _ends_quantized(layer: Layer) -> bool:
    return layer.kind == "Quantizer" or bool(layer.config.get("enable_oq"))


def _is_even(config: Mapping[str, Any], rank: int) -> bool:
    """Whether all of a tensor's axes, the events' too, share one width."""
    if config.get("heterogeneous_axis") is not None:
        return not config["heterogeneous_axis"]
    shared = {axis % rank for axis in config["homogeneous_axis"] if -rank <= axis < rank}
    return len(shared) == rank
