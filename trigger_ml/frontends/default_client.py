"""A model as hls4ml converts it when nobody sets a type, in a process where nothing else was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.client import Frontend
from trigger_ml.frontends.keras_client import MODULE as KERAS
from trigger_ml.frontends.opened import Opened, Process
from trigger_ml.serving import ask

__all__ = ["Conversion", "DefaultLayer", "DefaultModel", "LayerValues"]

HGQ: Final = "trigger_ml.frontends.hgq_worker"
DEFAULT: Final = "trigger_ml.frontends.default_worker"

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DefaultLayer:
    """A layer of the conversion.

    function: of an activation. inputs: names of layers. type, accumulator: as text, empty where
    it has none, or none that is fixed-point. weights: types of its arrays, by hls4ml's names. cut:
    names of those with values that their types do not hold. table: what it looks up its results
    in, in words. traced: whether the C simulation shows its values. settable: whether hls4ml's
    configuration can say anything of it.
    """

    name: str
    class_name: str
    function: str
    shape: tuple[int, ...]
    inputs: tuple[str, ...]
    type: str
    accumulator: str
    weights: Mapping[str, str]
    cut: tuple[str, ...]
    table: str
    traced: bool
    settable: bool

    @property
    def size(self) -> int:
        """Elements of one event."""
        return int(np.prod(self.shape, dtype=np.int64))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DefaultLayer:
        """Of the plain form that a process answers."""
        lists = {key: tuple(data[key]) for key in ("shape", "inputs", "cut")}
        return cls(**{**data, **lists})


@dataclass(frozen=True, slots=True)
class Conversion:
    """layers: in order. inputs, outputs: names, in the order of the C++. refused: what hls4ml said
    where it makes no project."""

    layers: tuple[DefaultLayer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    refused: str

    @property
    def by_name(self) -> Mapping[str, DefaultLayer]:
        """Layers by name."""
        return {layer.name: layer for layer in self.layers}


@dataclass(frozen=True, slots=True, eq=False)
class LayerValues:
    """What a layer of hls4ml's should have given; flat rows of one event each.

    source: the layer of the model that it stands for. wanted: from the model's inputs. local: from
    what hls4ml's own layers gave before it. bare: local, before layers that were melted into it,
    None where there are none. rough: local with weights cut to hls4ml's types, None where nothing
    is cut, or where it is not known. quantizer: type of the model's layer where that is a
    quantizer, otherwise empty.
    """

    source: str
    wanted: Values
    local: Values
    bare: Values | None = None
    rough: Values | None = None
    quantizer: str = ""


class DefaultModel:
    """A loaded model. Close it, or use it in a with block.

    onnx_problem: what hls4ml's own reader of ONNX says where it does not take the file.
    """

    def __init__(self, opened: Opened, work: Path, source: Frontend | None) -> None:
        """opened: the model. source: the same as compile has it, whose layers are what is right;
        None where the model itself is. Raises ModelError for hls4ml's saved graph."""
        self._opened, self._work, self._source = opened, work, source
        load = opened.converter.load
        if opened.converter.module == KERAS:
            self._architecture = untouched = str(load["architecture_untouched"])
            self._weights = str(load["weights"])
            if source is not None:
                file = work / "source_weights.npz"
                self._architecture, untouched = source.describe(file)
                self._weights = str(file.resolve())
            onnx = opened.oracle.load["file"] if opened.oracle else ""
            given = {"architecture": untouched, "weights": self._weights, "onnx": onnx}
            self._worker, answer = Process(DEFAULT, given).start(work)
            self.onnx_problem = str(answer["onnx"])
        elif opened.converter.module == HGQ:
            self._worker, _ = opened.converter.start(work)
            self.onnx_problem = ""
        else:
            what = "is hls4ml's own conversion of a model: there is no other default to compare"
            fix = "explain the model file that hls4ml converted"
            raise ModelError(Blocker(str(opened.file.path), what, fix))

    def convert(
        self, config: Config, directory: Path, top: str, changes: Mapping[str, Any]
    ) -> Conversion:
        """Write the project that hls4ml makes of the model when nothing but ``changes`` is set.

        changes: of hls4ml's configuration, by layer.
        """
        verb = "convert_by_default" if self._opened.converter.module == HGQ else "convert"
        request = self._opened.request(config, directory, top)
        answer = ask(self._worker, do=verb, changes=changes, **request)
        return Conversion(
            tuple(DefaultLayer.from_json(layer) for layer in answer["layers"]),
            tuple(answer["inputs"]),
            tuple(answer["outputs"]),
            answer["refused"],
        )

    def compare(
        self, conversion: Conversion, values: Values, shown: Mapping[str, Values]
    ) -> dict[str, LayerValues]:
        """What the layers should have given, by name, as far as the model has such.

        values: flat rows of inputs. shown: what the layers and inputs of hls4ml gave.
        """
        if self._opened.converter.module == HGQ:
            assert self._source is not None
            traced = self._source.trace(values.astype(np.float32))
            flat = {name: array.reshape(len(values), -1) for name, array in traced.items()}
            return {name: LayerValues(name, array, array) for name, array in flat.items()}
        inputs, given = self._work / "default_in.npy", self._work / "default_shown.npz"
        outputs = self._work / "default_out.npz"
        np.save(inputs, values.astype(np.float32))
        np.savez(given, allow_pickle=False, **shown)
        files = {"inputs": inputs, "shown": given, "outputs": outputs}
        answer = ask(
            self._worker,
            do="compare",
            architecture=self._architecture,
            weights=self._weights,
            **{key: str(path.resolve()) for key, path in files.items()},
        )
        quantizers = self._opened.converter.load["activation_types"]
        with np.load(outputs) as arrays:
            return {
                name: LayerValues(
                    match["source"],
                    arrays[f"wanted/{name}"],
                    arrays[f"local/{name}"],
                    _get(arrays, f"bare/{name}") if match["first"] != match["source"] else None,
                    _get(arrays, f"weights/{name}"),
                    quantizers.get(match["source"], ""),
                )
                for name, match in answer["matches"].items()
                if f"wanted/{name}" in arrays.files and conversion.by_name[name].type
            }

    def evaluate(self, values: Values) -> Values:
        """What a float model of Keras says with its last activation. values, result: flat rows."""
        inputs, outputs = self._work / "evaluate_in.npy", self._work / "evaluate_out.npy"
        np.save(inputs, values.astype(np.float32))
        files = {"inputs": str(inputs.resolve()), "outputs": str(outputs.resolve())}
        ask(self._worker, do="evaluate", **files)
        rows: Values = np.load(outputs)
        return rows

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> DefaultModel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _get(arrays: Any, name: str) -> Values | None:
    return arrays[name] if name in arrays.files else None
