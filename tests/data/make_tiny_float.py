"""Write the small float models of the tests, and what Keras says about a few events.

    KERAS_BACKEND=jax python tests/data/make_tiny_float.py keras3
    python tests/data/make_tiny_float.py keras2

tiny_float.h5: 5 features, Keras 2, normalization before and behind a dense layer.
tiny_set.h5, tiny_set.keras: 6 particles of 3 features, averaged, in both formats.
"""

import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KERAS2 = sys.argv[1] == "keras2"

if KERAS2:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf_keras as keras
else:
    import keras

layers = keras.layers
keras.utils.set_random_seed(1)


def randomize(model) -> None:
    """Weights of about unit size, positive variances."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        shapes = [array.shape for array in layer.get_weights()]
        layer.set_weights([random.normal(0, 0.6, shape) for shape in shapes])
        if type(layer).__name__ == "BatchNormalization":
            *rest, variance = layer.get_weights()
            layer.set_weights([*rest, np.abs(variance) + 0.3])


def chain():
    tensor = source = keras.Input((5,), name="features")
    tensor = layers.BatchNormalization(name="scale")(tensor)
    tensor = layers.Dense(6, name="fc1")(tensor)
    tensor = layers.BatchNormalization(name="norm1")(tensor)
    tensor = layers.ReLU(name="relu1")(tensor)
    tensor = layers.Dropout(0.2, name="drop")(tensor)
    tensor = layers.BatchNormalization(name="norm2", scale=False)(tensor)
    tensor = layers.Dense(4, name="fc2", activation="relu", use_bias=False)(tensor)
    tensor = layers.Dense(3, name="scores")(tensor)
    return keras.Model(source, layers.Softmax(name="softmax")(tensor), name="tiny_float")


def particles():
    tensor = source = keras.Input((6, 3), name="particles")
    tensor = layers.Dense(5, name="phi1", activation="relu")(tensor)
    tensor = layers.Dense(4, name="phi2", activation="relu")(tensor)
    tensor = layers.GlobalAveragePooling1D(name="mean")(tensor)
    tensor = layers.Dense(1, name="rho", activation="sigmoid")(tensor)
    return keras.Model(source, tensor, name="tiny_set")


def save(model, file: str) -> None:
    randomize(model)
    random = np.random.default_rng(4)
    values = random.normal(0, 1, (20, *model.input_shape[1:])).astype(np.float32)
    model.save(HERE / file)
    last = np.asarray(model.predict(values, verbose=0), dtype=np.float64)
    np.savez(HERE / f"{file}.npz", x=values, outputs=last)


if KERAS2:
    save(chain(), "tiny_float.h5")
    save(particles(), "tiny_set.h5")
else:
    save(particles(), "tiny_set.keras")
    save(chain(), "tiny_float.keras")
