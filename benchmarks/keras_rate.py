"""Keras' part of benchmarks/muon_throughput.py, in a process of its own.

    python benchmarks/keras_rate.py MODEL IMAGES.npy SECONDS BATCH...

Prints one line of JSON: images per second of ``model.predict`` and of the model as a traced
function, by batch size. The second has no loop around it, and is what a server would call.
"""

from __future__ import annotations

import json
import sys

from trigger_ml.keras2 import bind_keras

bind_keras()
import numpy as np
import tensorflow as tf
import tf_keras
from qkeras.utils import _add_supported_quantized_objects
from rates import measure_rates


def main() -> None:
    """Load, measure both, print."""
    file, images, seconds = sys.argv[1], np.load(sys.argv[2]), float(sys.argv[3])
    batches = [int(text) for text in sys.argv[4:]]
    objects: dict[str, object] = {}
    _add_supported_quantized_objects(objects)
    model = tf_keras.models.load_model(file, custom_objects=objects, compile=False)
    shape = [None, *images.shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def traced(values: tf.Tensor) -> tf.Tensor:
        return model(values, training=False)

    rates = {
        "predict": measure_rates(
            lambda batch: model.predict(images[:batch], batch_size=batch, verbose=0),
            batches,
            seconds,
        ),
        "traced": measure_rates(
            lambda batch: traced(tf.constant(images[:batch])).numpy(), batches, seconds
        ),
    }
    versions = {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__}
    print(json.dumps({"rates": rates, "versions": versions}))


if __name__ == "__main__":
    main()
