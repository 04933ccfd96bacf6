"""The peer of benchmarks/stages.py: hls4ml's own convert, compile() and predict().

    python benchmarks/hls4ml_peer.py MODEL EVENTS

Prints one line of JSON. The model's softmax is left out, as trigger_ml does.
"""

import json
import os
import sys
import tempfile
import time

os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1")
import tf_keras

sys.modules["keras"] = tf_keras
import numpy as np
from qkeras.utils import _add_supported_quantized_objects


def main() -> None:
    """Convert, build, predict; time each."""
    started = time.perf_counter()
    import hls4ml

    objects: dict[str, object] = {}
    _add_supported_quantized_objects(objects)
    model = tf_keras.models.load_model(sys.argv[1], custom_objects=objects, compile=False)
    model = tf_keras.Model(model.inputs, model.layers[-2].output)
    values = np.load(sys.argv[2])["x"].astype(np.float32)
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
    with tempfile.TemporaryDirectory() as folder:
        project = hls4ml.converters.convert_from_keras_model(
            model,
            hls_config=config,
            output_dir=folder,
            backend="Vitis",
            io_type="io_parallel",
            bit_exact=True,
        )
        converted = time.perf_counter()
        project.compile()
        compiled = time.perf_counter()
        project.predict(values)
        predicted = time.perf_counter()
    result = {
        "convert_s": converted - started,
        "compile_s": compiled - converted,
        "events_per_s": len(values) / (predicted - compiled),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
