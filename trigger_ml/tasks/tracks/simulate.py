"""Simulate track hits: in parallel, seeded, and resumable after an interruption.

Chunks of CHUNK events are simulated from seeds of their own, so that any number of processes
gives the same hits, and a larger sample begins with the smaller one. They lie in
``<output>.chunks`` until all are there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.errors import Blocker, BuildError, ConfigError, ToolMissingError
from trigger_ml.tasks import chunks
from trigger_ml.tasks.processes import run_in_processes
from trigger_ml.tasks.tracks.hits import EventHits, measured
from trigger_ml.tasks.tracks.recipe import TracksRecipe
from trigger_ml.tasks.tracks.store import TrackStore, refuse_foreign, write_events

__all__ = ["CHUNK", "simulate"]

CHUNK: Final = 100
"""Events of a chunk: about 15 seconds' work, 3.5 of them for PYTHIA to start."""
SEEDS: Final = 900_000_000
"""PYTHIA takes seeds from 1 to this."""
CODE: Final = "1"
"""Raise this with every change of the code that changes a hit: old chunks are then refused."""
_KIND: Final = "tracks"

Progress = Callable[[int, int], None]


def simulate(
    output: Path,
    recipe: TracksRecipe,
    *,
    processes: int = 1,
    progress: Progress | None = None,
    chunk_events: int = CHUNK,
) -> None:
    """Simulate ``recipe.events`` events into one HDF5 file, which appears whole or not at all.

    output: what was finished of it lies in ``<output>.chunks``: a run that was stopped goes on
        from there. That folder is removed at the end.
    processes: each about 500 MB; the hits do not depend on how many there are.
    progress: called with (events done, events in all) at the start and after every chunk.
    chunk_events: events made in one go; the hits depend on it.

    Raises ConfigError for fewer than one process, DataError where ``output`` is another file
    than one of track hits, or was begun with another recipe, BuildError when it cannot be
    written or is in use by another run, ToolMissingError without PYTHIA or ACTS, ToolFailedError
    when one of them refuses. KeyboardInterrupt passes through.
    """
    blockers = [
        Blocker(name, f"must be 1 or more, found {value}")
        for name, value in (("processes", processes), ("chunk_events", chunk_events))
        if value < 1
    ]
    if blockers:
        raise ConfigError(blockers)
    versions = _versions()
    refuse_foreign(output)
    folder = chunks.chunk_folder(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"cannot create {folder}: {error.strerror}") from error
    plan = chunks.Plan(recipe.seed, chunk_events, recipe.model_dump(mode="json"), versions)
    with chunks.locked(folder):
        chunks.prepare(folder, plan)
        _remove_leftovers(folder)
        parts = _parts(recipe.events, chunk_events)
        try:
            _run(folder, recipe, parts, processes, progress)
        finally:
            _remove_leftovers(folder)
        attributes: dict[str, str | int] = {"seed": recipe.seed, "recipe": recipe.to_yaml()}
        attributes |= {f"{name}_version": found for name, found in versions.items()}
        write_events(output, _merged(folder, parts), recipe.cuts, attributes)
    shutil.rmtree(folder, ignore_errors=True)


def _versions() -> dict[str, str]:
    """Versions of what makes the numbers."""
    found = {"code": CODE}
    for name in ("pythia8mc", "pyacts"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ToolMissingError(
                f"{name} is needed to simulate tracks: install trigger_ml[tracks]"
            ) from None
    return found


def _parts(events: int, chunk_events: int) -> dict[int, int]:
    """Number of each chunk, and how many events it has: the last one may have fewer."""
    starts = range(0, events, chunk_events)
    return {number: min(chunk_events, events - start) for number, start in enumerate(starts)}


def _merged(folder: Path, parts: dict[int, int]) -> Iterator[EventHits]:
    for number in parts:
        yield from TrackStore.open(chunks.chunk_file(folder, _KIND, number)).events()


def _remove_leftovers(folder: Path) -> None:
    """The CSV files of processes that were killed."""
    for left in folder.glob("csv-*"):
        shutil.rmtree(left, ignore_errors=True)


def _run(
    folder: Path,
    recipe: TracksRecipe,
    parts: dict[int, int],
    processes: int,
    progress: Progress | None,
) -> None:
    """Make the chunks that are not there yet."""
    missing = [n for n in parts if not chunks.chunk_file(folder, _KIND, n).exists()]
    done = recipe.events - sum(parts[number] for number in missing)
    if progress:
        progress(done, recipe.events)
    if not missing:
        return

    def finished(index: int) -> None:
        nonlocal done
        done += parts[missing[index]]
        if progress:
            progress(done, recipe.events)

    tasks = [(folder, number, parts[number], recipe) for number in missing]
    run_in_processes(_make_chunk, tasks, processes, finished)


def _make_chunk(folder: Path, number: int, size: int, recipe: TracksRecipe) -> None:
    from trigger_ml.tasks.tracks.fatras import hits_of, write_particles
    from trigger_ml.tasks.tracks.particles import collisions

    key = np.random.SeedSequence(recipe.seed, spawn_key=(number,))
    hard, soft, vertices, detector, spread = (
        int(word) % SEEDS + 1 for word in key.generate_state(5, np.uint64)
    )
    rng = np.random.default_rng(spread)
    with tempfile.TemporaryDirectory(prefix="csv-", dir=folder) as name:
        made = collisions(recipe, size, (hard, soft, vertices))
        events = hits_of(Path(name), write_particles(Path(name), made), detector, recipe)
        if recipe.resolution == "measured":
            events = (measured(event, rng) for event in events)
        write_events(chunks.chunk_file(folder, _KIND, number), events, recipe.cuts, {})
