"""Keras 2 under the name ``keras``, for the processes that run QKeras 0.9 and hls4ml 1.3 on it."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["bind_keras"]


def bind_keras() -> None:
    """Make ``keras`` mean Keras 2, quietly and on the CPU. Call it before anything else."""
    os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1")
    warnings.filterwarnings("ignore")
    import tf_keras

    sys.modules["keras"] = tf_keras
