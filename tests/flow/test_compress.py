"""``trigger-ml compress`` from a model file to a smaller one, and what stops it."""

import contextlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.flow.conftest import quick
from tests.test_cli import refused, run, start
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.networks.network import read_network
from trigger_ml.frontends.client import open_model

FLOAT = Path(__file__).parents[1] / "data" / "tiny_float.h5"
HGQ = "steps: [{step: hgq, epochs: 6, warm_epochs: 2, points: 3, polish_epochs: 1, batch: 256}]\n"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events whose labels the float model explains, but for some noise."""
    network = read_network(FLOAT)
    random = np.random.default_rng(1)
    x = random.normal(size=(20000, 5)).clip(-4, 3.9).astype(np.float32)
    logits = 4 * network.logits(x) + random.gumbel(size=(20000, 3))
    path = tmp_path_factory.mktemp("events") / "events.npz"
    np.savez(path, x=x, y=logits.argmax(axis=1), classes=np.array(["a", "b", "c"]))
    return path


def compressed(folder: Path, events: Path, recipe: str, *flags: str) -> tuple[Path, dict]:
    """Run the command; the folder that it made, and its record."""
    path = folder / "recipe.yaml"
    path.write_text(recipe)
    out = folder / "small"
    code, _, err = run(
        "compress", FLOAT, "--data", events, "--recipe", path, "-o", out, *flags, cwd=folder
    )
    assert code == 0, err
    return out, json.loads((out / "compress.json").read_text())


def assert_compiles_to_what_was_judged(out: Path, record: dict, scratch: Path) -> None:
    """The front end that compile uses gives the graph whose scores were judged."""
    model = next(out.glob("model.*"))
    scratch.mkdir()
    with open_model(model, quick(), scratch) as frontend:
        graph, _ = frontend.convert(quick(), scratch / "hls", "net")
        with np.load(out / "events.npz") as file:
            x, y = file["x"], file["y"]
        scores = graph_scores(graph, x)
        assert frontend.evaluate(
            graph.decode_inputs(graph.input_nodes[0].type.encode(x)).astype(np.float32)
        ).logits == pytest.approx(scores, abs=0)
    right = float((scores.argmax(axis=1) == y).mean())
    assert right == pytest.approx(record["chosen"]["metric"], abs=1e-12)


FILES = {
    "compress.json",
    "events.npz",
    "front.json",
    "front.md",
    "front.png",
    "front.svg",
    "points",
    "recipe.yaml",
}


def test_hgq_gives_a_frontier_and_the_smallest_good_one(tmp_path: Path, events: Path) -> None:
    out, record = compressed(tmp_path, events, HGQ, "--tolerance", "0.2")
    assert {path.name for path in out.iterdir()} == FILES | {"model.keras"}
    points = record["points"]
    assert [p["lut"] for p in points] == sorted(p["lut"] for p in points)
    good = [p for p in points if p["details"]["validation_change"] > -0.15]
    assert record["chosen"]["lut"] <= min(p["lut"] for p in good)
    assert all((out / point["model"]).is_file() for point in points)
    assert record["test"]["events"] == record["data"]["test"]
    assert_compiles_to_what_was_judged(out, record, tmp_path / "work")


def test_post_training_needs_no_training(tmp_path: Path, events: Path) -> None:
    out, record = compressed(
        tmp_path, events, "steps: [{step: post_training}]\n", "--tolerance", "0.03"
    )
    assert {path.name for path in out.iterdir()} == FILES | {"model.h5"}
    ranges = record["chosen"]["details"]["ranges"]
    assert all(item["overflow_upper"] <= 1e-4 for item in ranges.values())
    assert_compiles_to_what_was_judged(out, record, tmp_path / "work")


def test_pruning_comes_before_training(tmp_path: Path, events: Path) -> None:
    recipe = (
        "steps: [{step: prune_features, keep: 4}, {step: prune_neurons, keep: 0.7},"
        " {step: fine_tune, epochs: 3, sparsity: 0.3, batch: 256}]\n"
    )
    out, record = compressed(tmp_path, events, recipe, "--tolerance", "0.4")
    kept = record["chosen"]["details"]["features"]
    assert len(kept) == 4
    with np.load(out / "events.npz") as file:
        assert file["x"].shape[1] == 4
    assert_compiles_to_what_was_judged(out, record, tmp_path / "work")


def test_a_goal_that_nothing_meets_says_how_far(tmp_path: Path, events: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(HGQ)
    code, out, err = run(
        "compress",
        FLOAT,
        "--data",
        events,
        "--recipe",
        recipe,
        "-o",
        "small",
        "--tolerance",
        "0.1",
        "--max-lut",
        "1",
        cwd=tmp_path,
    )
    assert code == 3, err
    assert "no candidate keeps to the limits" in out.replace("\n", " ").lower()
    assert "would do" in out.replace("\n", " ")
    assert not (tmp_path / "small").exists()
    record = json.loads((tmp_path / "small.failed" / "compress.json").read_text())
    assert record["chosen"] is None
    assert record["shortfall"]


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        ({"y": None}, (), "there are no labels"),
        ({"rows": 300}, ("--tolerance", "0.001"), "and a loss of 0.001 must be seen"),
        ({}, ("--metric", "acuracy"), "did you mean accuracy"),
        ({}, ("--recipe", "bset"), "one of fast, balanced, best"),
        ({"nan": True}, (), "NaN"),
    ],
)
def test_bad_input(
    tmp_path: Path, events: Path, change: dict, flags: tuple[str, ...], message: str
) -> None:
    with np.load(events) as file:
        arrays = dict(file)
    if "y" in change:
        arrays.pop("y")
    if "nan" in change:
        arrays["x"][3, 2] = np.nan
    arrays = {k: v if k == "classes" else v[: change.get("rows")] for k, v in arrays.items()}
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    assert message in refused("compress", FLOAT, "--data", path, *flags, cwd=tmp_path)


def test_a_training_that_diverges(tmp_path: Path, events: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(HGQ.replace("batch: 256", "batch: 256, learning_rate: 10, beta: [1.0, 9.0]"))
    code, _, err = run(
        *("compress", FLOAT, "--data", events, "--recipe", recipe, "-o", "small"),
        *("--tolerance", "0.2"),
        cwd=tmp_path,
    )
    assert code == 2, err
    assert "hgq." in err
    assert not (tmp_path / "small").exists()


def test_a_killed_training_process(tmp_path: Path, events: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(HGQ.replace("epochs: 6", "epochs: 5000"))
    process = start(
        *("compress", FLOAT, "--data", events, "--recipe", recipe, "-o", "small"),
        *("--tolerance", "0.2"),
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 120
    trainers: list[psutil.Process] = []
    while not trainers and time.monotonic() < deadline:
        # A process may end, or not have its arguments yet, while it is looked at.
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            trainers = [c for c in children if "trigger_ml.training.hgq_trainer" in c.cmdline()]
        time.sleep(0.1)
    trainers[0].send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "could not train the network" in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("small*"))
