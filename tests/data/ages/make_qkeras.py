"""Writes small quantized models with QKeras 0.9 on any Keras 2, or with qkeras-v3 on Keras 3.

    python tests/data/ages/make_qkeras.py FOLDER [h5] [json] [keras] [pruned]

In an environment with one of them: ``pip install --no-deps QKeras==0.9.0`` beside tensorflow 2.4 to
2.15, or ``qkeras-v3==1.1.0`` beside Keras 3. Writes ``<model>.<ending>``, and ``<model>.npz`` of
inputs and outputs; ``pruned`` writes a model wrapped by tensorflow-model-optimization, and one
stripped of it. On TensorFlow 2.15: TF_USE_LEGACY_KERAS=1 and tf_keras 2.15.1.
"""

import os
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

try:
    import keras

    if not keras.__version__.startswith("3"):
        raise ImportError
except ImportError:
    from tensorflow import keras

from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

layers = keras.layers
Model = keras.models.Model
EVENTS = 24
NEW = getattr(keras, "__version__", "2").startswith("3")
BITS = 4


def grids():
    return {
        "kernel_quantizer": quantized_bits(BITS, 0, alpha=1),
        "bias_quantizer": quantized_bits(BITS, 0, alpha=1),
    }


def tagger():
    """Quantizers as objects, as text and with a scale of their own; a power of two."""
    tensor = source = layers.Input((5,), name="features")
    tensor = QActivation(quantized_bits(6, 2, alpha=1), name="grid")(tensor)
    tensor = QDense(6, name="fc1", **grids())(tensor)
    tensor = QActivation("quantized_relu(5,2)", name="relu1")(tensor)
    tensor = QDense(
        4,
        name="fc2",
        kernel_quantizer="quantized_po2(4,1)" if not NEW else quantized_bits(3, 1, alpha=1),
        bias_quantizer=quantized_bits(5, 1, alpha=1),
        activation=quantized_relu(6, 3, use_stochastic_rounding=False),
    )(tensor)
    tensor = QDense(
        5, name="fc3", kernel_quantizer="ternary(alpha=1)", bias_quantizer="quantized_bits(3,0,1)"
    )(tensor)
    tensor = QActivation("quantized_relu(4,2)", name="relu3")(tensor)
    tensor = QDense(
        3, name="fc4", use_bias=False, kernel_quantizer=quantized_bits(4, 0, alpha="auto_po2")
    )(tensor)
    return Model([source], [tensor], name="tagger")


def image():
    """A convolution, pooling, a sum of two branches."""
    tensor = source = layers.Input((4, 4, 2), name="pixels")
    tensor = QActivation(quantized_bits(5, 1, alpha=1), name="grid")(tensor)
    conv = QConv2D(3, (2, 2), padding="same", name="conv", **grids())(tensor)
    conv = QActivation("quantized_relu(5,2)", name="relu")(conv)
    skip = QConv2D(3, (1, 1), name="skip", **grids())(tensor)
    skip = QActivation("quantized_bits(5,2,alpha=1)", name="skip_grid")(skip)
    tensor = layers.Add(name="add")([conv, skip])
    tensor = layers.MaxPooling2D((2, 2), name="pool")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    return Model([source], [QDense(2, name="out", **grids())(tensor)], name="image")


def fill(model, random):
    for layer in model.layers:
        shapes = [array.shape for array in layer.get_weights()]
        layer.set_weights([random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes])


def save(model, path, endings):
    for ending in endings:
        if ending == "json":
            with open(path + ".json", "w") as file:
                file.write(model.to_json())
            model.save_weights(path + (".weights.h5" if NEW else "_weights.h5"))
        else:
            model.save(path + "." + ending)


def pruned(random, folder):
    """A tagger wrapped for pruning, and the same one stripped."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    schedule = sparsity.ConstantSparsity(0.5, begin_step=0)
    model = sparsity.prune_low_magnitude(tagger_of_dense(), pruning_schedule=schedule)
    fill(model.layers and sparsity.strip_pruning(model), random)
    model.save(os.path.join(folder, "wrapped.h5"))
    plain = sparsity.strip_pruning(model)
    plain.save(os.path.join(folder, "stripped.h5"))
    values = np.array(random.randint(-16, 16, (EVENTS, 5)) / 8.0, np.float32)
    record(plain, os.path.join(folder, "stripped"), values, 8)


def tagger_of_dense():
    tensor = source = layers.Input((5,), name="features")
    tensor = QActivation(quantized_bits(6, 2, alpha=1), name="grid")(tensor)
    tensor = QDense(6, name="fc1", **grids())(tensor)
    tensor = QActivation("quantized_relu(5,2)", name="relu1")(tensor)
    return Model([source], [QDense(3, name="fc2", **grids())(tensor)], name="pruned")


def record(model, path, values, steps):
    said = np.asarray(model.predict(values), np.float32)
    codes = (values * steps).astype(np.int8)
    np.savez_compressed(path + ".npz", x0=codes, y0=said, steps=np.float32(steps))


def main(folder, endings):
    random = np.random.RandomState(7)
    if "pruned" in endings:
        pruned(random, folder)
        return
    for build in (tagger, image):
        model = build()
        fill(model, random)
        path = os.path.join(folder, "q" + build.__name__)
        values = random.randint(-16, 16, (EVENTS,) + tuple(model.inputs[0].shape)[1:]) / 8.0
        record(model, path, values.astype(np.float32), 8)
        save(model, path, endings)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
