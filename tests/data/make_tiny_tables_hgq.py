"""Writes tiny_tables_hgq.keras, which the tests compile.

    PYTHONPATH=$VENV/share/trigger_ml/hgq2 KERAS_BACKEND=numpy \\
        python tests/data/make_tiny_tables_hgq.py

Made with HGQ2 0.2.0, Keras 3.15.1 and NumPy 2.4.6. 4-5-4-3, a table of tanh, an affine one of the
sigmoid and a softmax at the end, all HGQ2's own. Random weights; the widths are chosen here, and
the ranges are those that random events need.
"""

import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="numpy", JAX_PLATFORMS="cpu")
import keras
import numpy as np
from hgq.layers import QDense
from hgq.layers.activation import QAffinedUnaryFunctionLUT, QUnaryFunctionLUT
from hgq.layers.softmax import QSoftmax
from hgq.quantizer import QuantizerConfig
from hgq.utils import trace_minmax

EVENTS = 4096
HERE = Path(__file__).parent


def lane(integer: int, fraction: int) -> QuantizerConfig:
    """Values with a sign, and these bits before and behind the point."""
    return QuantizerConfig("kif", "datalane", k0=1, i0=integer, f0=fraction)


def table(integer: int, bits: int, **options: Any) -> QuantizerConfig:
    """Entries of a table, of these bits, the sign not counted."""
    return QuantizerConfig("kbi", "table", b0=bits, i0=integer, **options)


def network() -> keras.Model:
    """A Functional model."""
    source = keras.Input((4,), name="features")
    tensor = QDense(5, iq_conf=lane(2, 3), name="fc1")(source)
    tensor = QUnaryFunctionLUT("tanh", iq_conf=lane(2, 3), oq_conf=table(0, 6), name="tanh")(tensor)
    tensor = QDense(4, enable_iq=False, enable_ebops=False, name="fc2")(tensor)
    options = {"iq_conf": lane(2, 3), "oq_conf": table(0, 7, k0=0, overflow_mode="SAT")}
    tensor = QAffinedUnaryFunctionLUT("sigmoid", **options, name="gate")(tensor)
    tensor = QDense(3, enable_iq=False, enable_ebops=False, name="fc3")(tensor)
    scores = QSoftmax(
        enable_iq=True,
        iq_conf=lane(3, 3),
        exp_iq_conf=lane(3, 3),
        exp_oq_conf=table(1, 8),
        inv_iq_conf=lane(2, 4),
        inv_oq_conf=table(1, 8),
        name="scores",
    )(tensor)
    return keras.Model(source, scores, name="tiny_tables_hgq")


def main() -> None:
    """Make it."""
    random = np.random.default_rng(7)
    model = network()
    for variable in model.trainable_variables:
        name = variable.path.split("/")[-1]
        if "quantizer" not in variable.path and name in ("kernel", "bias", "scale"):
            variable.assign(random.normal(0.2, 0.9, variable.shape))
    events = random.normal(0, 1.5, (EVENTS, 4)).astype(np.float32)
    trace_minmax(model, events, batch_size=EVENTS)
    model.save(HERE / f"{model.name}.keras")


if __name__ == "__main__":
    main()
