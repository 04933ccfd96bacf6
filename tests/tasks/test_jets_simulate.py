"""Real PYTHIA on a handful of jets: seeds, resuming, refusing, and what lies on disk."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.errors import BuildError, ConfigError, DataError, ToolFailedError
from trigger_ml.tasks import chunks
from trigger_ml.tasks.jets import simulate
from trigger_ml.tasks.jets.card import DataCard, card_path
from trigger_ml.tasks.jets.loaders import load_jets
from trigger_ml.tasks.jets.names import CLASSES, FEATURES
from trigger_ml.tasks.jets.settings import Settings, pythia_lines
from trigger_ml.tasks.jets.simulate import generate
from trigger_ml.tasks.jets.store import merge

QUICK = Settings(multiparton_interactions=False, initial_state_radiation=False)

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(simulate.__file__).parents[3])}


def in_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DataCard]:
    """6 jets of each class in chunks of 4, from one process."""
    output = tmp_path_factory.mktemp("run") / "jets.h5"
    card = generate(output, 6, seed=5, workers=1, settings=QUICK, chunk_jets=4)
    return output, card


@pytest.fixture(scope="module")
def digest_of_4(run: tuple[Path, DataCard], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the same run with 4 jets of each class."""
    destination = tmp_path_factory.mktemp("four") / "jets.h5"
    return merge(run[0], destination=destination, per_class=4).digest


@pytest.fixture
def copy(run: tuple[Path, DataCard], tmp_path: Path) -> Path:
    """The finished run, to be altered."""
    output = tmp_path / "jets.h5"
    subprocess.run(["cp", "-r", run[0].parent, tmp_path / "copied"], check=True)
    for path in (tmp_path / "copied").iterdir():
        path.rename(tmp_path / path.name)
    return output


def test_what_a_sample_holds(run: tuple[Path, DataCard]) -> None:
    output, card = run
    assert card.counts == dict.fromkeys(CLASSES, 6) and card.jets == 30
    with h5py.File(output) as file:
        shapes = {name: (file[name].shape, file[name].dtype.name) for name in file}
        assert shapes == {
            "features": ((30, 16), "float32"),
            "labels": ((30,), "int8"),
            "constituents": ((30, 64, 3), "float32"),
            "kinematics": ((30, 4), "float32"),
            "event": ((30,), "int64"),
        }
        assert all(file[name].chunks for name in file)
        pt, eta, _, mass = file["kinematics"][:].T
        parts, counts = file["constituents"][:], file["features"][:, 15]
        groomed = file["features"][:, 14]
        event, labels = file["event"][:], file["labels"][:]
    assert ((pt > 850) & (pt < 1150)).all() and (np.abs(eta) < 2.5).all()
    assert (np.diff(parts[:, :, 0], axis=1) <= 0).all(), "constituents stand hardest first"
    kept = (parts[:, :, 0] > 0).sum(axis=1)
    assert (kept == np.minimum(counts, 64)).all()
    px = (parts[:, :, 0] * np.cos(parts[:, :, 2])).sum(axis=1)
    whole = counts <= 64
    assert px[whole] == pytest.approx(pt[whole], rel=1e-3), "constituents add up to the jet"
    assert (np.hypot(parts[:, :, 1], parts[:, :, 2])[parts[:, :, 0] > 0] < 1.2).all()
    assert (groomed <= mass * 1.001).all()
    assert len(np.unique(groomed)) == 30, "no two chunks hold the same jets"
    assert all(len(set(labels[event == number])) == 1 for number in event)
    assert max(np.unique(event, return_counts=True)[1]) == 2, "both jets of an event are used"


def test_card_tells_everything(run: tuple[Path, DataCard]) -> None:
    output, card = run
    written = json.loads(card_path(output).read_text())
    assert written["digest"] == card.digest and len(card.digest) == 64
    assert written["settings"]["multiparton_interactions"] is False
    assert written["versions"]["pythia8mc"] and written["versions"]["fastjet"]
    assert written["seed"] == 5 and written["counts"]["w"] == 6
    assert DataCard.from_json(json.dumps(written), "card") == card


def test_resume_makes_only_what_is_missing(run: tuple[Path, DataCard], copy: Path) -> None:
    folder = chunks.chunk_folder(copy)
    missing = [folder / "w-00000.h5", folder / "t-00001.h5"]
    for path in missing:
        path.unlink()
    (folder / "w-00000.h5.77.part").write_bytes(b"half a chunk")
    copy.unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    card = generate(copy, 6, seed=5, workers=1, settings=QUICK, chunk_jets=4)
    assert card.digest == run[1].digest
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    assert not list(folder.glob("*.part"))


def test_killed_and_run_again_with_other_workers(digest_of_4: str, tmp_path: Path) -> None:
    output = tmp_path / "jets.h5"
    script = (
        "from pathlib import Path\n"
        "from trigger_ml.tasks.jets.settings import Settings\n"
        "from trigger_ml.tasks.jets.simulate import generate\n"
        "if __name__ == '__main__':\n"
        f"    generate(Path({str(output)!r}), 4, seed=5, workers=1, chunk_jets=4, settings="
        "Settings(multiparton_interactions=False, initial_state_radiation=False))\n"
    )
    (tmp_path / "run.py").write_text(script)
    process = subprocess.Popen([sys.executable, tmp_path / "run.py"], env=ENVIRONMENT)
    folder = chunks.chunk_folder(output)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*-*.h5")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = {path.name for path in folder.glob("*-*.h5")}
    assert there and not output.exists(), "killed in the middle"
    seen: list[tuple[int, int]] = []
    card = generate(
        output, 4, seed=5, workers=2, settings=QUICK, chunk_jets=4,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert card.digest == digest_of_4, "neither the kill nor the workers changed a jet"
    assert seen[0][0] >= 4 * len(there), "what was finished is not made again"
    assert seen == [(done, 20) for done in range(seen[0][0], 21, 4)]


def test_finished_run_is_not_repeated(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "run_in_processes", None)  # no process may be started
    card = generate(copy, 6, seed=5, workers=1, settings=QUICK, chunk_jets=4)
    assert card.jets == 30


def test_card_lost_between_two_writes(copy: Path, run: tuple[Path, DataCard]) -> None:
    card_path(copy).unlink()
    card = generate(copy, 6, seed=5, workers=1, settings=QUICK, chunk_jets=4)
    assert card == run[1] and card_path(copy).exists()


def test_other_settings_in_the_same_folder(copy: Path) -> None:
    copy.unlink()
    wide = dataclasses.replace(QUICK, jet_pt_max_gev=1200.0)
    with pytest.raises(DataError) as caught:
        generate(copy, 6, seed=6, workers=1, settings=wide, chunk_jets=4)
    text = str(caught.value)
    assert len(caught.value.blockers) == 2
    assert "seed: 5 there, 6 now" in text
    assert "settings.jet_pt_max_gev: 1150.0 there, 1200.0 now" in text


def test_never_replaces_another_file(tmp_path: Path) -> None:
    output = tmp_path / "thesis.h5"
    output.write_text("my thesis")
    with pytest.raises(DataError, match="exists and is not a jet sample made here"):
        generate(output, 1, seed=1, workers=1, settings=QUICK)
    assert output.read_text() == "my thesis"


def test_second_run_is_told(copy: Path) -> None:
    with (
        chunks.locked(chunks.chunk_folder(copy)),
        pytest.raises(BuildError, match="in use by another run"),
    ):
        generate(copy, 6, seed=5, workers=1, settings=QUICK, chunk_jets=4)


def test_cannot_create_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot create"):
        generate(tmp_path / "file" / "jets.h5", 1, seed=1, workers=1, settings=QUICK)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from trigger_ml.errors import BuildError
from trigger_ml.tasks.jets.store import merge

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    merge(Path(sys.argv[1]))
except BuildError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [600, 4096, 20_000])
def test_full_disk_leaves_the_last_good_file(copy: Path, limit: int) -> None:
    before = copy.read_bytes()
    assert len(before) > limit
    done = in_python(FULL_DISK, str(copy), str(limit))
    assert done.stdout == f"cannot write {copy}: File too large\n"
    assert done.stderr == "" and done.returncode == 0, "HDF5 must survive what it cannot write"
    assert copy.read_bytes() == before
    assert not list(copy.parent.glob("*.part"))


def test_failure_in_a_worker_reaches_the_caller(tmp_path: Path) -> None:
    weak = dataclasses.replace(QUICK, energy_gev=1000.0)
    with pytest.raises(ToolFailedError, match="PYTHIA could not start for class 'g'"):
        generate(tmp_path / "jets.h5", 1, seed=1, workers=1, settings=weak, chunk_jets=1)


def test_the_window_holds_and_an_impossible_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from trigger_ml.tasks.jets import shower

    narrow = dataclasses.replace(QUICK, jet_pt_min_gev=980.0, jet_pt_max_gev=1000.0)
    pt = shower.simulate("q", 6, 1, narrow).kinematics[:, 0]
    assert len(pt) == 6 and ((pt > 980) & (pt < 1000)).all()

    monkeypatch.setattr(shower, "_TRIAL_EVENTS", 20)
    odd = dataclasses.replace(QUICK, jet_pt_min_gev=5000.0, jet_pt_max_gev=6000.0)
    with pytest.raises(ConfigError, match="only 0 jets of class t in 50 events pass"):
        shower.simulate("t", 200, 1, odd)


def test_merge_what_is_there_is_a_smaller_run(copy: Path, tmp_path: Path) -> None:
    (chunks.chunk_folder(copy) / "z-00001.h5").unlink()
    early = merge(copy, destination=tmp_path / "early.h5")
    assert early.counts == dict.fromkeys(CLASSES, 4)
    small = load_jets(tmp_path / "early.h5")
    with h5py.File(chunks.chunk_folder(copy) / "z-00000.h5") as file:
        expected = file["features"][:]
    found = small.features[small.labels == CLASSES.index("z")]
    assert np.array_equal(np.sort(found, axis=0), np.sort(expected, axis=0))
    with pytest.raises(DataError, match="has 4 jets of every class, 6 are needed"):
        merge(copy, per_class=6)


def test_merge_without_chunks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the plan of a sample"):
        merge(tmp_path / "nothing.h5")


def test_damaged_chunk_is_named(copy: Path) -> None:
    chunk = chunks.chunk_folder(copy) / "q-00000.h5"
    chunk.write_bytes(chunk.read_bytes()[:500])
    with pytest.raises(DataError, match=r"q-00000\.h5: cannot be read"):
        merge(copy)


def test_impossible_arguments_are_all_listed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        generate(tmp_path / "jets.h5", 0, seed=-1, workers=0, chunk_jets=0)
    assert [blocker.where for blocker in caught.value.blockers] == [
        "jets_per_class", "seed", "workers", "chunk_jets",
    ]  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_impossible_settings() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(radius=float("nan"), jet_pt_min_gev=2000.0)
    assert [blocker.where for blocker in caught.value.blockers] == ["radius", "jet_pt"]


def test_pythia_lines_follow_the_settings() -> None:
    on, off = pythia_lines("w", 7, Settings()), pythia_lines("w", 7, QUICK)
    assert "PartonLevel:MPI = on" in on and "PartonLevel:ISR = on" in on
    assert "PartonLevel:MPI = off" in off and "PartonLevel:ISR = off" in off
    assert "Random:seed = 7" in on and "25:onIfAny = 24" in on
    with pytest.raises(ConfigError, match="must be one of g, q, w, z, t, found 'b'"):
        pythia_lines("b", 7, QUICK)


def test_importing_the_library_loads_no_generator() -> None:
    code = (
        "import sys\n"
        "from trigger_ml.tasks.jets import (arff, card, loaders, names, sample, settings,\n"
        "    simulate, store, subsample, validate)\n"
        "print([m for m in ('pythia8mc', 'fastjet', 'awkward') if m in sys.modules])\n"
    )
    done = in_python(code)
    assert done.stdout == "[]\n" and done.stderr == ""
    assert len(FEATURES) == 16
