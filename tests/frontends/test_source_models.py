"""Layers written as others, against the models themselves in QKeras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frontends.source_models import own_cases

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_what_is_read_computes_what_the_model_computes(tmp_path: Path) -> None:
    """Bit for bit: all values are numbers of few bits."""
    command = (sys.executable, "-m", "tests.frontends.source_models", "shared", str(tmp_path))
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "TF_USE_LEGACY_KERAS": "1"})
    found = json.loads((tmp_path / "differing.json").read_text())
    assert found == dict.fromkeys((case.name for case in own_cases("shared")), 0)
