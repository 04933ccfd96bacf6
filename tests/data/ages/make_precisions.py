"""Writes models that Keras 3 keeps in other numbers than float32: quantized, in half precision.

    KERAS_BACKEND=jax python tests/data/ages/make_precisions.py FOLDER

In an environment with one Keras 3, as make_keras.py, whose weights and inputs it takes. Writes
``p_<precision>.keras`` and ``.h5``, and ``p_<precision>.npz`` of inputs and outputs.
"""

import os
import sys

import make_keras
import numpy as np
from make_keras import keras, layers

POLICIES = ("mixed_float16", "bfloat16")
MODES = ("int8", "float8", "int4")
LORA = "lora"


def main(folder):
    random = np.random.RandomState(5)
    for name in (*MODES, *POLICIES, LORA):
        keras.config.set_dtype_policy(name if name in POLICIES else "float32")
        source = layers.Input((4,), name="x")
        tensor = layers.Dense(5, activation="relu", name="fc1")(source)
        model = keras.Model(source, layers.Dense(2, name="fc2")(tensor))
        make_keras.fill(model, random)
        keras.config.set_dtype_policy("float32")
        if name in MODES:
            try:
                model.quantize(name)
            except ValueError:
                continue  # This Keras has no such mode.
        elif name == LORA:
            model.layers[1].enable_lora(2)
            model.layers[1].lora_kernel_a.assign(np.ones((4, 2)))
            model.layers[1].lora_kernel_b.assign(np.ones((2, 5)))
        values = make_keras.quarters(random, (make_keras.EVENTS, 4), 8)
        said = np.asarray(model.predict(values, verbose=0), np.float32)
        path = os.path.join(folder, "p_" + name)
        model.save(path + ".keras")
        model.save(path + ".h5")
        np.savez_compressed(path + ".npz", x0=(values * 4).astype(np.int8), y0=said)


if __name__ == "__main__":
    main(sys.argv[1])
