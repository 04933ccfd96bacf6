"""Real PYTHIA and ACTS on a handful of events: physics, seeds, resuming, refusing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from trigger_ml.errors import BuildError, ConfigError, DataError, ToolFailedError, ToolMissingError
from trigger_ml.tasks.chunks import chunk_folder
from trigger_ml.tasks.tracks import simulate as module
from trigger_ml.tasks.tracks.detector import BARREL
from trigger_ml.tasks.tracks.fatras import hits_of, write_particles
from trigger_ml.tasks.tracks.graphs import build, phi_slope
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.particles import CHARGES, Particles, collisions
from trigger_ml.tasks.tracks.recipe import TracksRecipe
from trigger_ml.tasks.tracks.simulate import simulate
from trigger_ml.tasks.tracks.store import TrackStore
from trigger_ml.tasks.tracks.summary import summarize

RECIPE = TracksRecipe(events=5, pileup=0, seed=3)
"""Without pile-up PYTHIA starts in half the time."""


def contents(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][:] for name in file}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chunks by two processes."""
    path = tmp_path_factory.mktemp("tracks") / "hits.h5"
    simulate(path, RECIPE, processes=2, chunk_events=3)
    return path


def gun(count: int) -> Particles:
    """Positive and negative muons across the beam: 1.2 GeV below the beam line, 2.4 above."""
    one = np.ones(count)
    phi = np.linspace(-3, 3, count)
    pt = np.where(phi < 0, 1.2, 2.4)
    sign = np.where(np.arange(count) % 2, 1, -1)
    number = np.arange(count) + 1
    along = 0 * one, pt * np.cos(phi), pt * np.sin(phi), 0.1 * one
    return Particles(
        one.astype(int), number, -13 * sign, 0 * one, 0 * one, *along, 0.10566 * one, sign
    )


@pytest.fixture(scope="module")
def muons(tmp_path_factory: pytest.TempPathFactory) -> EventHits:
    """Hits of 300 muons."""
    folder = tmp_path_factory.mktemp("gun")
    assert write_particles(folder, [gun(300)]) == 1
    (event,) = hits_of(folder, 1, 5, RECIPE)
    return event


def test_muons_bend_as_they_should(muons: EventHits) -> None:
    assert len(np.unique(muons.particle)) == 300
    assert np.abs(muons.eta).max() < 0.1
    near = muons.layer == 0
    assert muons.pt[near] == pytest.approx(np.where(muons.phi[near] < 0, 1.2, 2.4), rel=1e-5)
    graph = build(muons, RECIPE.cuts)
    inner = graph.senders[graph.truth]
    slope = phi_slope(graph)[graph.truth] * graph.pt[inner]
    layer, particle = graph.layer[inner], graph.particle[inner]
    expected = 0.299792458 * 2 / 2 / 1000
    # By name of the particle, which is in the order of the gun: the odd ones are positive.
    sign = np.where(particle % 2, -1, 1)
    for number in range(6):
        found = np.mean((slope * sign)[layer == number])
        assert found == pytest.approx(expected, rel=0.03), number


def test_muons_leave_a_hit_in_every_layer(muons: EventHits) -> None:
    for layer in BARREL:
        r = muons.r[muons.layer == layer.number]
        assert 295 <= len(r) <= 300
        assert np.abs(r - layer.radius_mm).max() < layer.stagger_mm
        assert np.ptp(r) > 1


def test_what_pythia_makes() -> None:
    recipe = RECIPE.model_copy(update={"pileup": 2, "vertex_spread_mm": 100.0})
    first, second = collisions(recipe, 2, (5, 6, 7))
    assert len(first.px) != len(second.px)
    assert set(np.unique(first.collision)) <= {1, 2, 3} and 1 in first.collision
    assert len({*zip(first.collision, first.number, strict=True)}) == len(first.number)
    pt = np.hypot(first.px, first.py)
    assert pt.min() > 0.8 and np.abs(first.pz / pt).max() < np.sinh(4)
    assert set(np.abs(first.kind)) <= CHARGES.keys() and set(first.charge) == {-1, 1}
    neutral = (22, 12, 14, 16, 111, 130, 310, 2112, 3122)
    assert not np.isin(np.abs(first.kind), neutral).any()
    pions = np.abs(first.kind) == 211
    assert np.array_equal(first.charge[pions], np.sign(first.kind[pions])) and pions.sum() > 10
    vertices = [np.median(first.z[first.collision == number]) for number in (1, 2, 3)]
    assert np.ptp([z for z in vertices if np.isfinite(z)]) > 5
    displaced = np.hypot(first.x, first.y)
    assert (displaced < 0.01).mean() > 0.5 and displaced.max() > 0.1
    with pytest.raises(ToolFailedError, match=r"could not start|does not accept"):
        next(collisions(recipe.model_copy(update={"process": "ttbar"}), 1, (-5, 10**12, 1)))


def test_sample(sample: Path) -> None:
    store = TrackStore.open(sample)
    events = list(store.events())
    assert len(events) == 5 and not chunk_folder(sample).exists()
    assert all(len(event) > 50 and event.pt.min() > 1 for event in events)
    assert TracksRecipe.model_validate(yaml.safe_load(store.attributes["recipe"])) == RECIPE
    assert store.attributes["pyacts_version"] and store.attributes["pythia8mc_version"]
    for layer in BARREL:
        r = np.concatenate([event.r[event.layer == layer.number] for event in events])
        assert len(r) and np.abs(r - layer.radius_mm).max() < layer.stagger_mm
    found = summarize(events, store.cuts)
    assert found.efficiency and found.efficiency > 0.97 and found.hits == sum(map(len, events))
    assert found.true_share and 0.4 < found.true_share < 0.95


def test_a_smaller_sample_is_the_beginning(sample: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "one.h5", RECIPE.model_copy(update={"events": 1}), chunk_events=3)
    mine, theirs = contents(tmp_path / "one.h5"), contents(sample)
    hits = theirs["event_start"][1]
    assert mine["event_start"].tolist() == [0, hits]
    assert np.array_equal(mine["z"], theirs["z"][:hits])
    assert np.array_equal(mine["phi"], theirs["phi"][:hits])


def test_a_run_that_was_killed_goes_on_with_any_number_of_processes(
    sample: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from trigger_ml.tasks.tracks.recipe import TracksRecipe\n"
        "from trigger_ml.tasks.tracks.simulate import simulate\n"
        "if __name__ == '__main__':\n"
        "    recipe = TracksRecipe(events=5, pileup=0, seed=3)\n"
        "    simulate(Path(sys.argv[1]), recipe, chunk_events=3)\n"
    )
    script, output = tmp_path / "run.py", tmp_path / "hits.h5"
    script.write_text(code)
    running = subprocess.Popen([sys.executable, str(script), str(output)], start_new_session=True)
    folder = chunk_folder(output)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*-00000.h5")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not output.exists() and len(list(folder.glob("*.h5"))) == 1
    (folder / "csv-left").mkdir(exist_ok=True)
    with pytest.raises(DataError, match=r"settings\.pileup: 0 there, 1 now"):
        simulate(output, RECIPE.model_copy(update={"pileup": 1}), chunk_events=3)
    seen: list[int] = []
    simulate(output, RECIPE, chunk_events=3, progress=lambda done, _: seen.append(done))
    assert seen == [3, 5] and not folder.exists()
    mine, theirs = contents(output), contents(sample)
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "hits.h5"
    with pytest.raises(ConfigError) as caught:
        simulate(output, RECIPE, processes=0, chunk_events=0)
    assert [blocker.where for blocker in caught.value.blockers] == ["processes", "chunk_events"]
    output.write_text("my thesis")
    with pytest.raises(DataError, match="is not a file of track hits made here"):
        simulate(output, RECIPE)
    with pytest.raises(BuildError, match="cannot create"):
        simulate(output / "hits.h5", RECIPE)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    with pytest.raises(
        ToolMissingError, match=r"pythia8mc is needed .* install trigger_ml\[tracks"
    ):
        simulate(tmp_path / "other.h5", RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["hits.h5"]


@pytest.mark.slow
def test_the_default_sample(tmp_path: Path) -> None:
    """Hits and segments an event, as measured on 1,100 events of a program of its own: 863 hits,
    1,112 candidates, 63 % of them true; the cuts keep 99.5 %. The vertices decide, so that the
    bounds are wide: what is beyond 150 mm is lost with all its tracks."""
    recipe = TracksRecipe(events=120)
    simulate(tmp_path / "hits.h5", recipe, processes=2, chunk_events=60)
    store = TrackStore.open(tmp_path / "hits.h5")
    found = summarize(store.events(), store.cuts)
    assert found.hits / found.events == pytest.approx(863, rel=0.1)
    assert found.edges / found.events == pytest.approx(1112, rel=0.15)
    assert found.true_share == pytest.approx(0.634, abs=0.05)
    assert found.efficiency and found.efficiency > 0.98
