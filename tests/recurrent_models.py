"""Model files with recurrent layers, written without Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["BITS", "SIGMOID", "TANH", "recurrent", "write_h5"]

BITS = "quantized_bits(6,1,alpha=1)"
TANH = "quantized_tanh(8,use_real_tanh=True)"
SIGMOID = "quantized_sigmoid(8,use_real_sigmoid=True)"
STEPS, FEATURES, UNITS, CLASSES = 4, 3, 3, 3
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def recurrent(kind: str, **options: Any) -> dict[str, Any]:
    """Parameters of a layer that hls4ml has, with changes."""
    config: dict[str, Any] = {"name": "rec", "units": UNITS, "use_bias": True}
    config |= {"return_sequences": False, "activation": "tanh"}
    if not kind.endswith("SimpleRNN"):
        config["recurrent_activation"] = "sigmoid"
    if kind.endswith("GRU"):
        config["reset_after"] = True
    if kind.startswith("Q"):
        config |= dict.fromkeys(("kernel_quantizer", "recurrent_quantizer", "bias_quantizer"), BITS)
    return {**config, **options}


def write_h5(path: Path, kind: str, **options: Any) -> Path:
    """A model of Keras 2: the recurrent layer, three classes behind it and a softmax."""
    quantized = kind.startswith("Q")
    dense: dict[str, Any] = {"name": "out", "units": CLASSES, "use_bias": True}
    dense["activation"] = "softmax"
    if quantized:
        dense |= {"kernel_quantizer": BITS, "bias_quantizer": BITS, "activation": "linear"}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": _INPUT}},
        {"class_name": kind, "config": recurrent(kind, **options)},
        {"class_name": "QDense" if quantized else "Dense", "config": dense},
    ]
    if quantized:
        layers.append(
            {"class_name": "Activation", "config": {"name": "softmax", "activation": "softmax"}}
        )
    gates = GATES[kind.removeprefix("Q")]
    random = np.random.default_rng(7)
    bias = (2, gates * UNITS) if kind.endswith("GRU") else (gates * UNITS,)
    arrays = {
        "rec": {
            "kernel": random.normal(0, 0.6, (FEATURES, gates * UNITS)),
            "recurrent_kernel": random.normal(0, 0.4, (UNITS, gates * UNITS)),
            "bias": random.normal(0, 0.3, bias),
        },
        "out": {
            "kernel": random.normal(0, 1.0, (UNITS, CLASSES)),
            "bias": random.normal(0, 0.3, (CLASSES,)),
        },
    }
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
        for name, parts in arrays.items():
            group = file.create_group(f"model_weights/{name}")
            group.attrs["weight_names"] = [f"{name}/{part}:0" for part in parts]
            for part, values in parts.items():
                group.create_dataset(f"{name}/{part}:0", data=values.astype(np.float32))
    return path


_INPUT = [None, STEPS, FEATURES]
