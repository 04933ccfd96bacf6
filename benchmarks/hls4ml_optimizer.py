"""The peer of benchmarks/frontier.py: hls4ml's own optimization API, in a process of its own.

    python benchmarks/hls4ml_optimizer.py MODEL EVENTS FOLDER OBJECTIVE EPOCHS SECONDS

MODEL: a Keras 2 or QKeras .h5. EVENTS: a stored data set. OBJECTIVE: ParameterEstimator,
VivadoFFEstimator or VivadoDSPEstimator. EPOCHS: for each level of sparsity. SECONDS: after which
no further level is tried. Writes a model for every level that the API accepts, and prints one
line of JSON.

The API is called as its documentation shows: its default tuner (Bayesian, ten trials), ranking
and knapsack, and a polynomial schedule. hls4ml 1.3.0 wants keras-tuner 1.1.3, ortools 9.4 and
TensorFlow up to 2.14 for it; with the versions here five things are put right first:

1. ``get_config`` of its regularizers returns an enumeration, which Keras refuses to serialize.
2. It copies models through JSON, where QKeras' QActivation does not survive Keras' new format.
3. ``config_from_keras_model`` gives neither IOType nor Strategy, and "auto" for most types; the
   API raises KeyError and "not in valid format" on those.
4. Its tuner would share one optimizer between all models: it is named instead.
5. keras-tuner imports tensorboard without a need and without requiring it.

ortools is not needed: all weights cost the same here, and the API then picks greedily.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import types
from pathlib import Path
from typing import Any, Final

os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1")
import tf_keras

sys.modules["keras"] = tf_keras
import hls4ml
import numpy as np
from hls4ml.optimization.dsp_aware_pruning import objectives, optimize_keras_model_for_hls4ml
from hls4ml.optimization.dsp_aware_pruning.keras import regularizers
from hls4ml.optimization.dsp_aware_pruning.objectives import vivado_objectives
from hls4ml.optimization.dsp_aware_pruning.scheduler import PolynomialScheduler
from qkeras.utils import _add_supported_quantized_objects

PRECISION: Final = "fixed<16,6>"
"""Where a model says nothing: hls4ml's own default."""
LEVELS: Final = 5
SPARSITY: Final = (0.5, 0.95)
"""First and last level."""
TOLERANCE: Final = 0.95
"""A level is accepted above this share of the accuracy before. The documentation has 0.975; this
one gives the API more levels, so more points."""
BATCH: Final = 512
BAD_LEVELS: Final = 3


class _Levels(PolynomialScheduler):  # type: ignore[misc]
    """The API's schedule, which keeps the weights of every accepted level.

    The API asks for the next level first and then writes the weights of the accepted one.
    """

    def __init__(self, weights: Path, seconds: float) -> None:
        super().__init__(LEVELS, initial_sparsity=SPARSITY[0], final_sparsity=SPARSITY[1])
        self.kept: list[tuple[float, Path]] = []
        self._weights = weights
        self._until = time.monotonic() + seconds
        self._accepted: float | None = None

    def update_step(self) -> tuple[bool, float]:
        self.keep()
        self._accepted = self.sparsity
        return self._next()

    def repair_step(self) -> tuple[bool, float]:
        return self._next()

    def _next(self) -> tuple[bool, float]:
        more, sparsity = super().update_step()
        return bool(more and time.monotonic() < self._until), float(sparsity)

    def keep(self) -> None:
        """Copy the weights of the level that was accepted last."""
        if self._accepted is not None:
            copy = self._weights.with_name(f"level_{len(self.kept)}.h5")
            shutil.copy(self._weights, copy)
            self.kept.append((self._accepted, copy))
            self._accepted = None


def put_right() -> None:
    """Points 1, 2 and 5 above."""
    for kind in (regularizers.DenseRegularizer, regularizers.Conv2DRegularizer):
        kind.get_config = _plain(kind.get_config)
    tf_keras.Model.use_legacy_config = True
    names = ("tensorboard", "tensorboard.plugins", "tensorboard.plugins.hparams")
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError:
        found = {name: types.ModuleType(name) for name in (*names, f"{names[-1]}.api")}
        sys.modules.update(found)
        found[names[-1]].__dict__["api"] = found[f"{names[-1]}.api"]


def _plain(get_config: Any) -> Any:
    def plain(self: Any) -> dict[str, Any]:
        return {**get_config(self), "structure_type": self.structure_type.value}

    return plain


def explicit(model: Any) -> dict[str, Any]:
    """An hls4ml configuration with all that the API reads: point 3."""
    found: dict[str, Any] = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend="Vivado", default_precision=PRECISION
    )
    found["IOType"] = "io_parallel"
    found["Model"].update(Strategy="Latency", Precision=PRECISION)
    for layer in found["LayerName"].values():
        kinds = layer.get("Precision")
        if isinstance(kinds, dict):
            for name, text in kinds.items():
                kinds[name] = PRECISION if text == "auto" else text
    return found


def main() -> None:
    """Optimize, and write what was accepted."""
    source, events, folder = (Path(text).resolve() for text in sys.argv[1:4])
    objective, epochs, seconds = sys.argv[4], int(sys.argv[5]), float(sys.argv[6])
    put_right()
    tf_keras.utils.set_random_seed(1)
    custom: dict[str, Any] = {}
    _add_supported_quantized_objects(custom)
    model = tf_keras.models.load_model(source, custom_objects=custom, compile=False)
    with np.load(events) as file:
        arrays = {name: file[name] for name in file.files if name[:2] in ("x_", "y_")}
    hot = np.eye(model.output_shape[1], dtype=np.float32)
    begin = time.perf_counter()
    levels = _Levels(folder / "optimization" / "best_weights.h5", seconds)
    where = objectives if hasattr(objectives, objective) else vivado_objectives
    optimize_keras_model_for_hls4ml(
        model,
        explicit(model),
        getattr(where, objective),
        levels,
        arrays["x_train"],
        hot[arrays["y_train"]],
        arrays["x_validation"],
        hot[arrays["y_validation"]],
        BATCH,
        epochs,
        "adam",
        "categorical_crossentropy",
        "accuracy",
        True,
        TOLERANCE,
        cutoff_bad_trials=BAD_LEVELS,
        directory=str(folder),
    )
    levels.keep()
    written = []
    for number, (sparsity, weights) in enumerate(levels.kept):
        model.load_weights(weights)
        name = f"level_{number}_model.h5"
        model.save(folder / name, include_optimizer=False, save_format="h5")
        written.append({"file": name, "sparsity": sparsity})
    print(json.dumps({"levels": written, "seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
