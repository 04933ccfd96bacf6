"""QKeras models of given types, written as they are or trained first, in a process of their own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fine_tuning import FineTuning
from trigger_ml.compress.fixed_point.layer_types import LayerTypes
from trigger_ml.compress.networks.network import FloatNetwork, GlobalAverage, save_network
from trigger_ml.errors import Blocker, ConfigError, ModelError
from trigger_ml.files import appearing
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["FineTuned", "fine_tune", "write_model"]

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A trained model.

    file: the QKeras ``.h5``. logits: by side ("validation", "test"), shape (events, outputs).
    weights: by layer, how many without biases and zeros among them. validation: share of right
    decisions after every epoch.
    """

    file: Path
    logits: Mapping[str, NDArray[np.float64]]
    weights: Mapping[str, tuple[int, int]]
    validation: tuple[float, ...]
    versions: Mapping[str, str]
    seconds: float


def write_model(network: FloatNetwork, types: LayerTypes, output: Path) -> None:
    """Write a QKeras ``.h5`` whose weights are the network's, rounded to their types.

    Raises ConfigError for types that do not fit, ModelError for a network that such a file
    cannot hold, BuildError where the file cannot be written.
    """
    _require_writable(network, types)
    with tempfile.TemporaryDirectory() as folder, _worker(Path(folder)) as worker:
        source, made = Path(folder) / "network.npz", Path(folder) / "model.h5"
        save_network(network, source)
        ask(worker, do="write", network=str(source), types=types.to_json(), output=str(made))
        _keep(made, output)


def fine_tune(
    network: FloatNetwork,
    types: LayerTypes,
    dataset: Dataset,
    settings: FineTuning,
    output: Path,
    masks: Masks | None = None,
    answers: NDArray[np.float64] | None = None,
    listener: Listener | None = None,
) -> FineTuned:
    """Train a network on its types, starting from its weights, and write a QKeras ``.h5``.

    masks: by layer, False for each weight that is zero and stays zero, shape of the kernel; a
    key "layer.bias" does the same for biases. answers: logits of the training events to learn
    from, shape (events, outputs); the network's own when None.

    Raises ConfigError when the training diverges or something does not fit, ModelError for a
    network that such a file cannot hold.
    """
    _require_writable(network, types)
    _require_layers(network, settings, masks or {})
    watch = Stopwatch(listener or Quiet())
    with tempfile.TemporaryDirectory() as folder, _worker(Path(folder)) as worker:
        scratch = Path(folder)
        request = _start_request(network, types, dataset, settings, scratch)
        request |= _arrays(network, dataset, masks, answers, scratch)
        validation = []
        with watch.stage("fine_tune", "fine-tune the quantized network") as stage:
            started = ask(worker, **request)
            for number in range(settings.epochs):
                told = ask(worker, do="epoch")
                validation.append(float(told["validation"]))
                stage.moved(number + 1, settings.epochs)
            stage.note = f"loss {told['loss']:.4f}, validation {told['validation']:.2%}"
        made, logits = scratch / "model.h5", scratch / "logits.npz"
        done = ask(worker, do="finish", output=str(made), logits=str(logits))
        with np.load(logits, allow_pickle=False) as file:
            arrays = dict(file)
        _keep(made, output)
    weights = {name: (int(size), int(zero)) for name, (size, zero) in done["layers"].items()}
    return FineTuned(output, arrays, weights, tuple(validation), started["versions"], watch.total)


def _start_request(
    network: FloatNetwork,
    types: LayerTypes,
    dataset: Dataset,
    settings: FineTuning,
    scratch: Path,
) -> dict[str, object]:
    source, events = scratch / "network.npz", scratch / "events.npz"
    save_network(network, source)
    dataset.save(events)
    return {
        "do": "start",
        "network": str(source),
        "types": types.to_json(),
        "dataset": str(events),
        "settings": settings.model_dump(mode="json"),
    }


def _arrays(
    network: FloatNetwork,
    dataset: Dataset,
    masks: Masks | None,
    answers: NDArray[np.float64] | None,
    scratch: Path,
) -> dict[str, object]:
    kept, teacher = scratch / "masks.npz", scratch / "answers.npy"
    arrays = {name: np.asarray(mask, dtype=np.float32) for name, mask in (masks or {}).items()}
    np.savez(kept, allow_pickle=False, **arrays)
    np.save(teacher, network.logits(dataset.x_train) if answers is None else answers)
    return {"masks": str(kept), "answers": str(teacher)}


def _worker(folder: Path) -> Worker:
    arguments = (sys.executable, "-m", "trigger_ml.training.qkeras_trainer")
    return Worker(Command(arguments, folder, "write or train the QKeras model"))


def _keep(made: Path, output: Path) -> None:
    with appearing(output) as part:
        part.write_bytes(made.read_bytes())


def _require_writable(network: FloatNetwork, types: LayerTypes) -> None:
    fix = "use the hgq step of the recipe, which writes a .keras file"
    blockers = [
        Blocker(f"layer {layer.name}", "an average cannot be compiled from a QKeras .h5", fix)
        for layer in network.layers
        if isinstance(layer, GlobalAverage)
    ]
    if len(network.input_shape) != 1:
        what = f"events of shape {network.input_shape} cannot be compiled from a QKeras .h5"
        blockers.append(Blocker(network.name, what, fix))
    if blockers:
        raise ModelError(blockers)
    types.require_fit(network)
    kinds = {"input": types.input}
    for name, own in types.layers.items():
        kinds |= {f"{name} weight": own.weight, f"{name} bias": own.bias}
        if own.activation is not None:
            kinds[f"{name} activation"] = own.activation
    low = [name for name, kind in kinds.items() if kind.integer < int(kind.signed)]
    if low:
        fix = "give it as many integer bits as it has signs, and a wider type"
        raise ConfigError(
            [Blocker(f"type of {name}", f"QKeras has no {kinds[name]}", fix) for name in low]
        )


def _require_layers(network: FloatNetwork, settings: FineTuning, masks: Masks) -> None:
    shapes = {layer.name: layer.kernel.shape for layer in network.dense}
    shapes |= {f"{layer.name}.bias": layer.bias.shape for layer in network.dense}
    blockers = [
        Blocker(f"sparsity.{name}", "there is no such layer", f"they are {', '.join(shapes)}")
        for name in settings.sparsity
        if name not in {layer.name for layer in network.dense}
    ]
    for name, mask in masks.items():
        if shapes.get(name) != mask.shape:
            what = f"a mask of shape {mask.shape} for weights of {shapes.get(name, 'no layer')}"
            blockers.append(Blocker(f"mask {name}", what))
    if blockers:
        raise ConfigError(blockers)
