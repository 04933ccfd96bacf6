"""Float networks and their quantized candidates, evaluated in a process of their own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.float_graph.spread import Spread
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["Evaluator"]


class Evaluator:
    """Evaluates networks on events. Use it in a with block.

    folder: existing, for what is exchanged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        arguments = (sys.executable, "-m", "trigger_ml.float_graph.worker")
        self._worker = Worker(Command(arguments, folder, "evaluate the float network"))
        self._files: dict[int, tuple[NDArray[Any], str]] = {}

    def logits(self, network: KerasNetwork, events: NDArray[np.float32]) -> NDArray[np.float64]:
        """What a network says, before its tail. events: flat rows. Returns flat rows."""
        outputs = self._folder / "logits.npy"
        request = self._request(network, tail=False) | {"events": self._file(events)}
        ask(self._worker, do="logits", outputs=str(outputs), **request)
        rows: NDArray[np.float64] = np.load(outputs)
        return rows

    def spreads(
        self, network: KerasNetwork, events: NDArray[np.float32], tensors: Sequence[str]
    ) -> dict[str, Spread]:
        """How large the results of layers get, by name."""
        request = self._request(network, tail=False) | {"events": self._file(events)}
        answer = ask(self._worker, do="spreads", tensors=list(tensors), **request)
        return {name: Spread.from_json(item) for name, item in answer["spreads"].items()}

    def write(self, network: KerasNetwork, file: Path) -> None:
        """Save a network, with its tail, as ``.h5``."""
        ask(self._worker, do="write", file=str(file.resolve()), **self._request(network, tail=True))

    def _file(self, events: NDArray[np.float32]) -> str:
        """A file of these events, written once for as long as they live."""
        known = self._files.get(id(events))
        if known is not None:
            return known[1]
        path = str((self._folder / f"events_{len(self._files)}.npy").resolve())
        np.save(path, events)
        self._files[id(events)] = events, path
        return path

    def _request(self, network: KerasNetwork, *, tail: bool) -> dict[str, Any]:
        weights = self._folder / "candidate.npz"
        network.write_weights(weights)
        architecture = network.architecture(tail=tail, input_quantizer=None)
        return {"architecture": architecture, "weights": str(weights.resolve())}

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exc: object) -> None:
        self._worker.close()
