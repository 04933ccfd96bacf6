"""Writes small float models with whichever Keras is installed, 2.0 to 3.15, and what it says.

    python tests/data/ages/make_keras.py FOLDER [h5] [json] [keras]

In an environment with one Keras: ``pip install keras==3.3.3 numpy jax`` with KERAS_BACKEND=jax,
``pip install tensorflow-cpu==2.15.1`` (its own Keras), or, in Python 3.6, ``pip install
keras==2.0.5 tensorflow==1.12 h5py==2.10``; with TF_KERAS=1 the Keras within TensorFlow is taken
where there are two. Writes ``<model>.<ending>``, and ``<model>.npz`` of inputs and logits.
Weights and inputs are quarters, so that every sum is exact in float32, in any order.
"""

import os
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

if os.environ.get("TF_KERAS"):
    from tensorflow import keras
else:
    import keras

layers = keras.layers
Model = keras.models.Model
EVENTS = 24
NEW = getattr(keras, "__version__", "2").startswith("3")
EPSILON = 2.0**-10


def leaky(slope, name):
    return layers.LeakyReLU(**{"negative_slope" if NEW else "alpha": slope, "name": name})


def normalization(name):
    return layers.BatchNormalization(epsilon=EPSILON, name=name)


def image():
    """Windows on an image, and a softmax in a layer of its own."""
    tensor = source = layers.Input((6, 5, 2), name="pixels")
    tensor = layers.ZeroPadding2D(((0, 1), (1, 0)), name="pad")(tensor)
    tensor = layers.Conv2D(3, (3, 2), padding="same", activation="relu", name="conv")(tensor)
    tensor = normalization("norm")(tensor)
    tensor = leaky(0.25, "leaky")(tensor)
    tensor = layers.MaxPooling2D((2, 2), name="pool")(tensor)
    if hasattr(layers, "DepthwiseConv2D"):
        tensor = layers.DepthwiseConv2D((1, 2), padding="same", name="depth")(tensor)
    tensor = layers.SeparableConv2D(4, (2, 2), name="sep", use_bias=False)(tensor)
    tensor = layers.UpSampling2D((2, 2), name="up")(tensor)
    tensor = layers.Cropping2D(((1, 1), (1, 1)), name="crop")(tensor)
    tensor = layers.GlobalAveragePooling2D(name="mean")(tensor)
    tensor = layers.Dropout(0.25, name="drop")(tensor)
    scores = layers.Dense(3, name="scores")(tensor)
    return Model([source], [layers.Activation("softmax", name="end")(scores)], name="image"), scores


def chain():
    """A Sequential model whose first layer says the shape, and a sigmoid within the last."""
    model = keras.models.Sequential(name="chain")
    model.add(layers.Dense(5, activation="relu", input_shape=(4,), name="fc1"))
    model.add(normalization("norm"))
    model.add(layers.Dropout(0.5, name="drop"))
    model.add(layers.Dense(6, name="fc2"))
    model.add(layers.Activation("relu", name="act"))
    model.add(layers.Reshape((3, 2), name="shape"))
    model.add(layers.Permute((2, 1), name="turn"))
    model.add(layers.Flatten(name="flat"))
    model.add(layers.Dense(2, activation="sigmoid", name="end"))
    return model, None


def merges():
    """Two inputs, two outputs, a layer used twice, a model in a model."""
    first, second = (layers.Input((4,), name=name) for name in ("left", "right"))
    shared = layers.Dense(4, activation="relu", name="shared")
    inner = keras.models.Sequential(name="inner")
    inner.add(layers.Dense(3, input_shape=(4,), name="inner_fc"))
    inner.add(layers.Activation("relu", name="inner_act"))
    one, two = shared(first), shared(second)
    parts = [layers.Add(name="add")([one, two]), layers.Multiply(name="mul")([one, two])]
    parts.append(layers.Average(name="mean")([one, two]))
    parts.append(layers.Maximum(name="max")([one, two]))
    if hasattr(layers, "Subtract"):
        parts.append(layers.Subtract(name="sub")([one, two]))
    if hasattr(layers, "Minimum"):
        parts.append(layers.Minimum(name="min")([one, two]))
    parts.append(inner(one))
    joined = layers.Concatenate(name="join")(parts)
    outputs = [layers.Dense(size, name=f"out{size}")(joined) for size in (2, 1)]
    return Model([first, second], outputs, name="merges"), outputs


def steps():
    """Steps of a series."""
    tensor = source = layers.Input((8, 3), name="series")
    tensor = layers.Conv1D(4, 3, padding="same", name="conv")(tensor)
    tensor = layers.PReLU(shared_axes=[1], name="slopes")(tensor)
    tensor = layers.TimeDistributed(layers.Dense(3, name="inside"), name="each")(tensor)
    tensor = layers.AveragePooling1D(2, name="mean")(tensor)
    tensor = layers.ReLU(name="relu")(tensor) if hasattr(layers, "ReLU") else tensor
    tensor = layers.MaxPooling1D(2, name="pool")(tensor)
    tensor = layers.Flatten(name="flat")(tensor)
    scores = layers.Dense(2, name="scores")(tensor)
    return Model([source], [scores], name="steps"), scores


def quarters(random, shape, most=4):
    """Numbers of at most ``most`` quarters."""
    return (random.randint(-most, most + 1, shape) / 4.0).astype(np.float32)


def fill(model, random):
    """Draw the weights; a normalization multiplies by powers of two."""
    for layer in model.layers:
        shapes = [array.shape for array in layer.get_weights()]
        arrays = [quarters(random, shape) for shape in shapes]
        if type(layer).__name__ == "BatchNormalization":
            gamma = np.where(arrays[0] < 0, -0.5, 0.5)
            arrays = [gamma, arrays[1], arrays[2], np.full(shapes[3], 0.25 - EPSILON)]
        layer.set_weights(arrays)


def logits(model, scores, values):
    """What the last layers say before a softmax or sigmoid."""
    if scores is None:
        kernel, bias = model.layers[-1].get_weights()
        before = Model(model.inputs, model.layers[-2].output).predict(values)
        return [before @ kernel + bias]
    said = Model(model.inputs, scores).predict(values)
    return said if isinstance(said, list) else [said]


def main(folder, endings):
    random = np.random.RandomState(5)
    if NEW:
        keras.config.disable_interactive_logging()
    for build in (image, chain, merges, steps):
        model, scores = build()
        fill(model, random)
        values = [quarters(random, (EVENTS,) + tuple(t.shape)[1:], 8) for t in model.inputs]
        path = os.path.join(folder, build.__name__)
        for ending in endings:
            if ending == "json":
                with open(path + ".json", "w") as file:
                    file.write(model.to_json())
                model.save_weights(path + (".weights.h5" if NEW else "_weights.h5"))
            else:
                model.save(path + "." + ending)
        said = logits(model, scores, values if len(values) > 1 else values[0])
        arrays = dict((f"x{n}", (x * 4).astype(np.int8)) for n, x in enumerate(values))
        arrays.update((f"y{n}", np.asarray(y, np.float32)) for n, y in enumerate(said))
        np.savez_compressed(path + ".npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
