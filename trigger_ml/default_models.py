"""A model as compile has it and as hls4ml has it by default, and the events that both are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.config import Config
from trigger_ml.default_causes import Rule
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.events import read_events
from trigger_ml.float_graph.source import FloatSource, read_source
from trigger_ml.float_models import LARGEST_ERROR, choose_types, is_float
from trigger_ml.frontends.client import Frontend, check_model, open_model, top_name
from trigger_ml.frontends.default_client import DefaultModel
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_client import MODULE, WEIGHTS
from trigger_ml.frontends.model_file import BROKEN
from trigger_ml.frontends.opened import Opened, Process
from trigger_ml.gathering import Gathering
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.progress import Stopwatch
from trigger_ml.requirements import require_events
from trigger_ml.serving import ask
from trigger_ml.simulate.vectors import make_vectors

__all__ = ["Compared", "opened_both"]

EVENTS: Final = 1000
MOST_ELEMENTS: Final = 2**19
"""Of the inputs of all events where nobody says how many: 28 images of a muon chamber."""
FEWEST: Final = 10

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What a comparison needs.

    model: for the default. network: what compile makes. top: name of the firmware. values: flat
    rows of inputs. outputs: what the model says of them, flat rows. rule: what is wrong. notes:
    what was compared, in words.
    """

    model: DefaultModel
    network: FixedGraph
    top: str
    values: Values
    outputs: Values
    rule: Rule
    notes: tuple[str, ...]

    def own_node(self, layer: str, source: str) -> Node | None:
        """compile's node for a layer of hls4ml's, which stands for a layer of the model."""
        known = {node.source: node for node in self.network.nodes if node.source}
        # An activation within a float layer becomes a layer of that name.
        base = source.rpartition("_")[0]
        names = (source, layer, *([f"{base}_act"] if base in known else []))
        return next((known[name] for name in names if name in known), None)


@contextmanager
def opened_both(
    path: Path, config: Config, data: Path | None, events: int | None, work: Path, clock: Stopwatch
) -> Iterator[Compared]:
    """Open a model file both ways and convert it as compile does.

    data, events: as of :func:`trigger_ml.default_gap.compare_with_default`. work: an existing
    folder. Raises TriggerMLError as a compilation does.
    """
    if detect(path) is Format.FML:
        what = "is hls4ml's own conversion already: there is no default to compare it with"
        raise ModelError(Blocker(str(path), what, "explain the file that hls4ml converted"))
    floats = data is not None and is_float(path)
    if data is not None and not floats:
        _require(path, config, data)
    with ExitStack() as stack:
        if floats:
            assert data is not None
            source = read_source(path, config)
            with clock.stage("types", "fixed-point types from the events"):
                fixed = choose_types(path, data, config, work)
            config, path_of_own = config.without_input_type(), fixed.file
        else:
            path_of_own = path
        with clock.stage("load", "read the model"):
            own = stack.enter_context(open_model(path_of_own, config, _folder(work, "own")))
            opened = _float_opened(source, own, _folder(work, "floats")) if floats else own.opened
            folder = _folder(work, "default")
            model = stack.enter_context(DefaultModel(opened, folder, None if floats else own))
        top = own.free_name(top_name(path))
        with clock.stage("own", "convert it as compile does"):
            network, _ = own.convert(config, work / "hls", top)
        values = _inputs(network, config, data, events, floats=floats)
        with clock.stage("source", "the model"):
            if floats:
                outputs = _float_outputs(model, opened, values, work)
            else:
                outputs = _outputs(own, values)
        notes = (*_notes(path, model), *own.source.notes)
        rule = Rule(LARGEST_ERROR if floats else 0.0)
        yield Compared(model, network, top, values, outputs, rule, notes)


def _require(path: Path, config: Config, data: Path) -> None:
    """Refuse events that suit no model before anything is started, and the model with them."""
    found = Gathering()
    found.run(lambda: require_events(data))
    if found.blockers:
        found.run(lambda: check_model(path, config))
    found.finish()


def _folder(work: Path, name: str) -> Path:
    folder = work / f"{name}_files"
    folder.mkdir()
    return folder


def _float_opened(source: FloatSource, own: Frontend, work: Path) -> Opened:
    """The float network itself, as hls4ml would be given it."""
    network = source.original
    network.write_weights(work / WEIGHTS)
    load = {
        "weights": str((work / WEIGHTS).resolve()),
        "architecture": network.architecture(tail=False, input_quantizer=None),
        "architecture_with_tail": network.architecture(tail=True, input_quantizer=None),
        "architecture_untouched": network.architecture(tail=True, input_quantizer=None),
        "tail": network.tail,
        "activation_types": {},
    }
    io_type = own.opened.io_type
    return Opened(network, "float", Process(MODULE, load), "", io_type, source.oracle)


def _inputs(
    network: FixedGraph, config: Config, data: Path | None, events: int | None, *, floats: bool
) -> Values:
    """Flat rows of inputs: of a float model as they are, otherwise on compile's grid."""
    count = events or max(min(EVENTS, MOST_ELEMENTS // network.input_size), FEWEST)
    given = None
    if data is not None:
        given = read_events(data, network.input_size, network.output_size, count).inputs
    if floats:
        assert given is not None
        return given
    vectors = make_vectors(
        network, given, None, total=count, random_events=0, seed=config.verify.seed
    )
    rows = vectors.rows("events") if data is not None else slice(-count, None)
    return network.decode_inputs(vectors.codes[rows])


def _outputs(own: Frontend, values: Values) -> Values:
    said = own.evaluate(values.astype(np.float32))
    chosen = said.logits if said.tail is None else said.tail
    return np.asarray(chosen, np.float64).reshape(len(values), -1)


def _float_outputs(model: DefaultModel, opened: Opened, values: Values, work: Path) -> Values:
    """What a float model says, with its last activation: by onnxruntime where it is ONNX."""
    if opened.oracle is None:
        return model.evaluate(values)
    names = ("inputs", "outputs", "tail_outputs")
    files = {name: str((work / f"oracle_{name}.npy").resolve()) for name in names}
    np.save(files["inputs"], values.astype(np.float32))
    worker, _ = opened.oracle.start(work)
    with worker:
        ask(worker, do="evaluate", **files)
    said: Values = np.load(files["tail_outputs" if opened.file.tail else "outputs"])
    return said.reshape(len(values), -1)


def _notes(path: Path, model: DefaultModel) -> Iterator[str]:
    """What was given to hls4ml in place of the file itself."""
    kind = detect(path)
    if kind is Format.HGQ:
        yield "hls4ml settles the types of HGQ2 models by itself, so that they are bit-exact"
    elif kind is Format.ONNX:
        said = "hls4ml's own reader of ONNX takes this file after a cleaning with qonnx at best"
        if model.onnx_problem:
            said = f"hls4ml's own reader of ONNX does not take this file: {model.onnx_problem}"
        yield f"{said}; compared is the Keras network that compile makes of it"
    elif _is_keras_3(path):
        yield (
            "the file is of Keras 3; compared is the same network in Keras 2, as compile rebuilds "
            "it (hls4ml 1.3 reads no QKeras of Keras 3)"
        )


def _is_keras_3(path: Path) -> bool:
    """Whether Keras 3 wrote a file of Keras layers."""
    kind = detect(path)
    if kind is Format.KERAS_ZIP:
        return True
    try:
        if kind is Format.KERAS_JSON:
            version = json.loads(path.read_bytes()).get("keras_version", "")
        else:
            with h5py.File(path, "r") as file:
                version = file.attrs.get("keras_version", "")
    except (*BROKEN, AttributeError):
        return False
    text = version.decode("ascii", "replace") if isinstance(version, bytes) else str(version)
    return text.startswith("3.")
