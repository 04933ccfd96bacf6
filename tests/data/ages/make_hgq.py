"""Writes small models with whichever HGQ2 is installed, and what it says of them.

    KERAS_BACKEND=jax python tests/data/ages/make_hgq.py FOLDER

In an environment with one of them: ``pip install --no-deps HGQ2==0.1.0 keras==3.10.0 quantizers
tqdm`` beside numpy and jax. Writes ``h<model>.keras``, and ``h<model>.npz`` of inputs and outputs.
Weights are random; widths are those that HGQ2 starts with, ranges those of 1,000 events.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import hgq  # noqa: F401 (registers its layers with Keras)
import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QBatchNormDense, QConv2D, QDense, QEinsumDense
from hgq.utils import trace_minmax

layers = keras.layers
EVENTS = 24


def dense():
    return keras.Sequential(
        [
            layers.Input((4,), name="features"),
            QDense(5, activation="relu", name="fc1"),
            QBatchNormDense(4, activation="relu", name="fc2"),
            QDense(3, name="logits"),
            layers.Activation("softmax", name="softmax"),
        ],
        name="dense",
    )


def parts():
    """A functional model: one matrix for each of 4 particles."""
    source = layers.Input((4, 3), name="particles")
    tensor = QEinsumDense("bnc,cd->bnd", (4, 3), bias_axes="d", activation="relu", name="phi")(
        source
    )
    tensor = layers.Flatten(name="flat")(tensor)
    return keras.Model(source, QDense(2, name="out")(tensor), name="parts")


def image():
    source = layers.Input((4, 4, 2), name="pixels")
    tensor = QConv2D(3, (2, 2), activation="relu", name="conv")(source)
    tensor = layers.Flatten(name="flat")(tensor)
    return keras.Model(source, QDense(2, name="out")(tensor), name="image")


def main(folder):
    random = np.random.RandomState(3)
    scopes = (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
    )
    for build in (dense, parts, image):
        with scopes[0], scopes[1]:
            model = build()
        for layer in model.layers:
            for weight in layer.trainable_weights:
                if weight.path.rsplit("/", 1)[-1] in ("kernel", "bias", "bn_gamma", "bn_beta"):
                    weight.assign(random.uniform(-1, 1, weight.shape))
        shape = tuple(model.inputs[0].shape)[1:]
        trace_minmax(model, random.uniform(-2, 2, (1000,) + shape).astype(np.float32))
        path = os.path.join(folder, "h" + build.__name__)
        codes = random.randint(-16, 16, (EVENTS,) + shape).astype(np.int8)
        logits = model
        if isinstance(model.layers[-1], layers.Activation):
            logits = keras.Model(model.inputs, model.layers[-2].output)
        said = np.asarray(logits(codes.astype(np.float32) / 8, training=False), np.float32)
        np.savez_compressed(path + ".npz", x0=codes, y0=said, steps=np.float32(8))
        model.save(path + ".keras")


if __name__ == "__main__":
    main(sys.argv[1])
