"""check holds a build to its lock."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.build_check import check_build
from trigger_ml.check.lock import read_lock
from trigger_ml.pipeline import Request, compile_model


def test_a_build_passes_its_own_check(
    logits_build: Path, trigger_ml_check: Callable[[Path], None]
) -> None:
    trigger_ml_check(logits_build)


def test_another_model_is_noticed(
    softmax_build: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    """A weight of the model file is changed: source, graph and outputs are not the locked ones."""
    import h5py

    build = copy_of(softmax_build)
    model = next((build / "model").iterdir())
    with h5py.File(model, "a") as file:
        kernel = file["model_weights/fc1/fc1/kernel:0"]
        values = kernel[()]
        values[0, 0] = 0.875 if values[0, 0] < 0 else -0.875
        kernel[...] = values
    outcome = check_build(build)
    failed = {verdict.name for verdict in outcome.verdicts if not verdict.passed}
    assert {"lock:model", "lock:graph", "lock:outputs", "bits:csim~graph"} <= failed
    assert outcome.divergence is not None
    assert "layer fc1" in outcome.divergence


def test_two_compilations_are_the_same_to_the_last_bit(logits_build: Path, tmp_path: Path) -> None:
    again = compile_model(Request(TINY, quick(), output=tmp_path / "tiny")).folder
    first, second = read_lock(logits_build), read_lock(again)
    assert first == second


@pytest.mark.parametrize("name", ["vectors.npz", "network.json", "config.yaml", "model"])
def test_an_incomplete_build_is_refused(
    logits_build: Path, copy_of: Callable[[Path], Path], name: str
) -> None:
    from trigger_ml.errors import BuildError

    build = copy_of(logits_build)
    path = build / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(BuildError, match="is not a whole build"):
        check_build(build)


def test_a_build_is_found_by_a_relative_path(
    logits_build: Path, copy_of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools run in folders of their own, where a relative path leads elsewhere."""
    build = copy_of(logits_build)
    monkeypatch.chdir(build.parent)
    outcome = check_build(Path(build.name), synthesis=False)
    assert outcome.passed, [verdict for verdict in outcome.verdicts if not verdict.passed]
