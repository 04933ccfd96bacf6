"""Writes tiny_graph_hgq.keras, a graph of HGQ2 layers, which the tests compile.

    PYTHONPATH=$VENV/share/trigger_ml/hgq2 KERAS_BACKEND=jax JAX_PLATFORMS=cpu \\
        python tests/data/make_tiny_graph_hgq.py

Made with HGQ2 0.2.0, Keras 3.15.1 and JAX 0.10.2. Two inputs, 2 x 3 and 4 numbers; a dropout in one
branch, a skip around a dense layer, sums, a product and three tensors side by side; two outputs, of
which one is read on. Trained for a few seconds on a toy task, with a price on bits high enough that
some weights are left with none.
"""

import os
from pathlib import Path

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
import hgq  # noqa: F401
import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QAdd, QDense, QEinsumDense, QMultiply
from hgq.utils import trace_minmax
from hgq.utils.sugar import FreeEBOPs

EVENTS = 4096
HERE = Path(__file__).parent


def network() -> keras.Model:
    """A model of two inputs and two outputs."""
    layers = keras.layers
    pair, global_features = keras.Input((2, 3), name="pair"), keras.Input((4,), name="event")
    each = QEinsumDense("bnc,cd->bnd", (2, 4), bias_axes="d", activation="relu", name="each")(pair)
    flat = layers.Flatten(name="flat")(each)
    both = QDense(4, activation="relu", name="both")(layers.Dropout(0.1, name="off")(flat))
    start = QDense(4, activation="relu", name="start")(global_features)
    beside = QDense(4, activation="relu", name="beside")(start)
    skip = QAdd(name="skip")([start, beside])
    gated = QMultiply(name="gated")([skip, both])
    energy = QDense(1, name="energy")(skip)
    joined = layers.Concatenate(name="joined")([gated, skip, energy])
    return keras.Model(
        [pair, global_features],
        [QDense(2, name="logits")(joined), energy],
        name="tiny_graph_hgq",
    )


def main() -> None:
    """Train, take the ranges of all tensors, and save beside this file."""
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(7)
    pair = random.normal(0, 1.5, (EVENTS, 2, 3)).astype(np.float32)
    event = random.normal(0, 1.5, (EVENTS, 4)).astype(np.float32)
    energy = np.abs(event).sum(axis=1, keepdims=True)
    labels = (pair.sum(axis=(1, 2)) > event.sum(axis=1)).astype(int)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=3e-4),
    ):
        model = network()
        losses = [keras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"]
        model.compile(keras.optimizers.Adam(2e-2), losses)
        model.fit([pair, event], [labels, energy], 256, 60, verbose=2, callbacks=[FreeEBOPs()])
        trace_minmax(model, [pair, event], batch_size=1024)
    model.save(HERE / f"{model.name}.keras")


if __name__ == "__main__":
    main()
