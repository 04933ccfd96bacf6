"""Float files against the models themselves, in the Keras that wrote them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.layers.case import cases
from trigger_ml.config import load_config
from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.source import read_source

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("group", ["float", "float_keras3"])
def test_what_is_read_computes_what_the_model_computes(tmp_path: Path, group: str) -> None:
    """As it was read, and in plain layers; the last softmax or sigmoid is left out there."""
    command = (sys.executable, "-m", "tests.float_graph.own_outputs", group, str(tmp_path))
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "KERAS_BACKEND": "numpy"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    with Evaluator(tmp_path) as evaluator:
        for case in cases(group):
            path = tmp_path / case.file
            source = read_source(path, load_config(None))
            with np.load(path.with_suffix(".npz")) as stored:
                events, wanted = stored["x"], stored["y"]
            assert wanted.std(axis=0).min() > 1e-3, case.name
            for network in (source.original, source.network):
                found = _with_tail(evaluator.logits(network, events), network.tail)
                np.testing.assert_allclose(found, wanted, atol=3e-6, err_msg=case.name)


def _with_tail(logits: np.ndarray, tail: str) -> np.ndarray:
    if tail == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-logits)))
    if tail == "softmax":
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
    return logits
