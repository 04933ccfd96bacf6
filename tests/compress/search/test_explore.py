"""The search goes on where it was interrupted: nothing that ended is lost or run again."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trigger_ml.compress.front.files as front_module
import trigger_ml.compress.search.attempt as attempt_module
import trigger_ml.compress.search.study as study_module
from tests.compress.search.ensemble import DEFAULTS, SPACE, Fake, request, result
from trigger_ml.compress.front.pareto import front_from_json, pareto_front
from trigger_ml.compress.search.explore import ExploreOutcome, explore
from trigger_ml.compress.search.space import Space, parse_space
from trigger_ml.compress.search.study import Study
from trigger_ml.compress.search.trials import TrialFolder, TrialRequest, TrialResult
from trigger_ml.errors import BlockedError, BuildError, ConfigError
from trigger_ml.progress import Quiet


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes the most time here: watching over processes, and drawing."""
    monkeypatch.setattr(attempt_module, "watched", contextlib.nullcontext)
    monkeypatch.setattr(front_module, "front_figure", lambda *_, **__: None)


def asked(folder: Path) -> dict[int, Any]:
    """The parameters of every trial, by number."""
    files = (folder / "trials").glob("*/request.json")
    return {int(f.parent.name): json.loads(f.read_text())["parameters"] for f in files}


def search(folder: Path, fake: Fake, **changes: Any) -> ExploreOutcome:
    return explore(request(folder, **changes), fake, Quiet())


def database(folder: Path) -> list[tuple[str, Any, Any]]:
    """State, parameters and values of every trial, as Optuna has them."""
    import optuna

    name = json.loads((folder / "study.json").read_text())["study"]
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'study.db'}")
    return [(trial.state.name, trial.params, trial.values) for trial in study.trials]


def test_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    folder, fake = tmp_path / "näher bei" / "my search", Fake(tmp_path / "log")
    outcome = search(folder, fake, trials=5)
    assert outcome.finished == (0, 1, 2, 3, 4) and not outcome.failed and outcome.before == 0
    assert fake.told("run") == [f"run {k}" for k in range(5)]
    assert asked(folder)[0] == DEFAULTS
    assert all(p["epochs"] == 3 and p["width"] % 4 == 0 for p in asked(folder).values())
    assert len({p["beta"] for p in asked(folder).values()}) == 5
    metric, points = front_from_json((folder / "front.json").read_text())
    assert metric == "accuracy" and set(points) == set(outcome.points) and len(points) == 5
    assert outcome.front == pareto_front(points)
    assert (folder / "front.md").read_text().count("| trials/") == len(outcome.front)
    assert (folder / "front.png").stat().st_size > 1000
    assert "<svg" in (folder / "front.svg").read_text()
    found = {tuple(values) for _, _, values in database(folder)}
    assert found == {(point.lut, point.metric) for point in points}


def test_a_search_goes_on_as_if_it_had_not_ended(tmp_path: Path) -> None:
    # More than the trials that are drawn at random: the results must count too.
    whole, parts = Fake(tmp_path / "whole.log"), Fake(tmp_path / "parts.log")
    search(tmp_path / "parts", parts, trials=5)
    outcome = search(tmp_path / "parts", parts, trials=13)
    assert outcome.before == 5 and outcome.repeated == ()
    assert parts.told("run") == [f"run {k}" for k in range(13)]
    search(tmp_path / "whole", whole, trials=13)
    assert asked(tmp_path / "parts") == asked(tmp_path / "whole")


@pytest.mark.parametrize("storage", ["journal:{}/study.journal", "sqlite:///{}/other.db"])
def test_another_storage(tmp_path: Path, storage: str) -> None:
    fake, place = Fake(tmp_path / "log"), storage.format(tmp_path)
    search(tmp_path / "s", fake, trials=2, storage=place)
    if place.startswith("journal:"):
        with Path(place.removeprefix("journal:")).open("a") as handle:
            handle.write('{"half a li')
    outcome = search(tmp_path / "s", fake, trials=4, storage=place)
    assert outcome.before == 2 and fake.told("run") == [f"run {k}" for k in range(4)]
    assert not (tmp_path / "s" / "study.db").exists()
    # The files are the truth, whatever holds the study.
    assert search(tmp_path / "s", fake, trials=4).before == 4


def test_nothing_is_left_to_do(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log")
    search(tmp_path / "s", fake, trials=2)
    (tmp_path / "s" / "front.json").unlink()
    outcome = search(tmp_path / "s", fake, trials=1)
    assert outcome.finished == (0, 1) and len(fake.told("run")) == 2
    assert (tmp_path / "s" / "front.json").exists()


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_killed_before_the_result_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(tmp_path / "log")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Study, "tell", killed)
        search(tmp_path / "s", fake, trials=3)
    assert [state for state, *_ in database(tmp_path / "s")] == ["RUNNING"]
    outcome = search(tmp_path / "s", fake, trials=3)
    assert outcome.before == 1 and outcome.repeated == ()
    assert fake.told("run") == ["run 0", "run 1", "run 2"]
    assert [state for state, *_ in database(tmp_path / "s")] == ["COMPLETE"] * 3


def test_killed_before_the_request_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(tmp_path / "log")
    search(tmp_path / "s", fake, trials=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrialFolder, "record", killed)
        search(tmp_path / "s", fake, trials=2)
    drawn = database(tmp_path / "s")[1][1]
    assert len(drawn) == 3 and 1 not in asked(tmp_path / "s")
    outcome = search(tmp_path / "s", fake, trials=2)
    assert outcome.repeated == (1,) and fake.told("run") == ["run 0", "run 1"]
    assert asked(tmp_path / "s")[1] == drawn | {"epochs": 3}


def test_killed_while_parameters_were_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(tmp_path / "log")

    def half(self: Space, source: Any) -> None:
        self.searched["width"].suggest("width", source)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Space, "suggest", half)
        search(tmp_path / "s", fake, trials=3)
    assert [len(drawn) for _, drawn, _ in database(tmp_path / "s")] == [1]
    outcome = search(tmp_path / "s", fake, trials=3)
    assert outcome.finished == (0, 1, 2)
    assert asked(tmp_path / "s")[0] == DEFAULTS


def test_killed_in_the_middle_of_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(tmp_path / "log")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Fake, "_misbehave", killed)
        search(tmp_path / "s", fake, trials=2)
    before = asked(tmp_path / "s")
    assert (tmp_path / "s/trials/0/model.txt").read_text() == "half"
    outcome = search(tmp_path / "s", fake, trials=2)  # Fake demands that "half" is gone
    assert outcome.repeated == (0,) and fake.told("run") == ["run 0", "run 0", "run 1"]
    assert asked(tmp_path / "s")[0] == before[0]


def test_a_lost_database_is_made_again(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log", diverging=frozenset({1}))
    search(tmp_path / "s", fake, trials=4)
    before = database(tmp_path / "s")
    (tmp_path / "s" / "study.db").unlink()
    outcome = search(tmp_path / "s", fake, trials=5)
    assert database(tmp_path / "s")[:4] == before
    assert outcome.before == 4 and len(fake.told("run")) == 5


def test_a_lost_or_damaged_trial(tmp_path: Path) -> None:
    fake, folder = Fake(tmp_path / "log"), tmp_path / "s"
    search(folder, fake, trials=2)
    record = folder / "trials/1/result.json"
    text = record.read_text()
    record.write_text(text[:40])
    with pytest.raises(BuildError, match=r"trials/1/result\.json is damaged"):
        search(folder, fake, trials=3)
    record.unlink()
    with pytest.raises(BuildError, match="its record is gone"):
        search(folder, fake, trials=3)
    record.write_text(text)
    assert search(folder, fake, trials=3).finished == (0, 1, 2)
    assert len(fake.told("run")) == 3


def test_another_study_is_not_continued(tmp_path: Path) -> None:
    fake, folder = Fake(tmp_path / "log"), tmp_path / "s"
    search(folder, fake, trials=1)
    space = parse_space({**SPACE, "width": {"low": 4, "high": 8}}, "space")
    with pytest.raises(ConfigError) as caught:
        search(folder, fake, fingerprint={"model": "aa", "data": "cc"}, space=space, seed=2)
    found = {blocker.where: blocker.what for blocker in caught.value.blockers}
    assert set(found) == {f"{folder}: {key}" for key in ("data", "seed", "space.width")}
    assert found[f"{folder}: data"] == "was bb when this search began, and is cc now"
    assert len(fake.told("run")) == 1
    assert search(folder, fake, trials=1, jobs=2).finished == (0,)


def test_trials_that_fail(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log", diverging=frozenset({1}), buggy=frozenset({2}))
    outcome = search(tmp_path / "s", fake, trials=4)
    assert outcome.finished == (0, 3)
    assert outcome.failed[1] == "beta: the training diverged\n    -> lower it"
    assert outcome.failed[2].startswith("ZeroDivisionError: division by zero (ensemble.py, line")
    assert [state for state, *_ in database(tmp_path / "s")] == [
        "COMPLETE",
        "FAIL",
        "FAIL",
        "COMPLETE",
    ]
    again = search(tmp_path / "s", fake, trials=4)
    assert again.failed == outcome.failed and len(fake.told("run")) == 4


def test_all_trials_fail(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log", diverging=frozenset({0, 2}), buggy=frozenset({1}))
    with pytest.raises(BlockedError) as caught:
        search(tmp_path / "s", fake, trials=3)
    assert [(blocker.where, blocker.what[:12]) for blocker in caught.value.blockers] == [
        ("2 of 3 trials (the first is 0)", "beta: the tr"),
        ("1 of 3 trials (the first is 1)", "ZeroDivision"),
    ]


def wrong_values(trial: TrialRequest) -> TrialResult:
    right = Fake(trial.folder.parents[2] / "log")(trial)
    return TrialResult(right.points, (float("nan"), 0.5)) if trial.number == 1 else right


def lost_model(trial: TrialRequest) -> TrialResult:
    return result(trial) if trial.number else Fake(trial.folder.parents[2] / "log")(trial)


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (wrong_values, "trial 1: LUT and metric must be finite, are (nan, 0.5)"),
        (lost_model, "trial 1: its model file trials/1/model.txt is not there"),
    ],
)
def test_a_result_that_is_none(tmp_path: Path, evaluator: Any, message: str) -> None:
    outcome = search(tmp_path / "s", evaluator, trials=2)
    assert outcome.finished == (0,) and outcome.failed == {1: message}


def test_a_full_disk_in_a_trial(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log", full=1)
    (tmp_path / "full").touch()
    with pytest.raises(BuildError, match=r"the disk of .*/trials/1 is full; free some space"):
        search(tmp_path / "s", fake, trials=3)
    before = asked(tmp_path / "s")[1]
    (tmp_path / "full").unlink()
    outcome = search(tmp_path / "s", fake, trials=3)
    assert outcome.finished == (0, 1, 2) and outcome.repeated == (1,)
    assert fake.told("run") == ["run 0", "run 1", "run 1", "run 2"]
    assert asked(tmp_path / "s")[1] == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB; mounting one needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path, tmp_path: Path) -> None:
    folder, fake = small_disk / "s", Fake(tmp_path / "log")
    with pytest.raises(BuildError, match="is full; free some space"):
        search(folder, Fake(tmp_path / "log", ballast=2**20), trials=2)
    assert search(folder, fake, trials=2).finished == (0, 1)
    filler = small_disk / "filler"
    with pytest.raises(OSError), filler.open("wb") as handle:
        handle.write(bytes(2**21))
    with pytest.raises(BuildError, match=r"full|No space left"):
        search(folder, fake, trials=4)
    filler.unlink()
    assert search(folder, fake, trials=4).finished == (0, 1, 2, 3)
    assert fake.told("done") == [f"done {k}" for k in range(4)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0, "jobs": 0}, "trials: must be 1 or more, is 0\njobs: must be 1 or more"),
        ({"seed": -1}, "seed: must not be negative, is -1"),
        ({"scheduler": "slurm"}, "scheduler: 'slurm' is none"),
        ({"storage": "mysterious://me:secret@host/db"}, "storage: is no database"),
        ({"storage": "what"}, "storage: is no database"),
        ({"storage": "journal:/nowhere/at/all"}, "storage: /nowhere/at is no folder"),
    ],
)
def test_what_cannot_be(tmp_path: Path, changes: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        search(tmp_path / "s", Fake(tmp_path / "log"), **changes)
    assert str(caught.value).startswith(message) and "secret" not in str(caught.value)
    assert not (tmp_path / "log").exists()


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match="exists and is not the folder of a search"):
        search(tmp_path, Fake(tmp_path / "log"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_samplers_differ_by_seed_and_number() -> None:
    drawn = {
        study_module._sampler(seed, number)._rng.rng.random_sample()
        for seed in range(3)
        for number in range(3)
    }
    assert len(drawn) == 9
