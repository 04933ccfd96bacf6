"""Make a jet sample: in parallel, seeded, and resumable at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from trigger_ml.errors import Blocker, BuildError, ConfigError, ToolMissingError
from trigger_ml.tasks import chunks
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.settings import Settings
from trigger_ml.tasks.jets.store import merge, refuse_foreign
from trigger_ml.tasks.processes import run_in_processes

__all__ = ["generate"]

Progress = Callable[[int, int], None]

_SEEDS = 900_000_000
"""PYTHIA takes seeds from 1 to this."""

CHUNK_JETS = 2000
"""Jets of a chunk: about a minute's work."""

_RECIPE = "1"
"""Raise this with every change of the code that changes a jet: old chunks are then refused."""


def generate(
    output: Path,
    jets_per_class: int,
    *,
    seed: int,
    workers: int,
    progress: Progress | None = None,
    settings: Settings | None = None,
    chunk_jets: int | None = None,
) -> DataCard:
    """Simulate ``jets_per_class`` jets of each of the five classes into one HDF5 file.

    output: the sample; its card is written beside it as ``<output>.card.json``. Finished
        chunks are kept in ``<output>.chunks``: a run that was stopped goes on from there, and a
        larger ``jets_per_class`` extends it. Remove that folder when no more jets are wanted.
    seed: 0 or more. Equal seed, settings and versions give equal jets, whatever ``workers`` is.
    workers: processes, each about 300 MB.
    progress: called with (jets done, jets in all) at the start and after every chunk.
    chunk_jets: jets of one class made in one go; at most this many are lost by a kill. None:
        as in the run that is resumed, else 2000, or fewer where fewer are asked for.

    Raises ConfigError for impossible arguments, DataError when the folder or file at ``output``
    was made with other settings, BuildError when it cannot be written or is in use by another
    run, ToolMissingError without PYTHIA or FastJet, ToolFailedError when PYTHIA refuses.
    KeyboardInterrupt passes through; the chunks finished by then are kept.
    """
    if chunk_jets is None:
        chunk_jets = _chunk_size(output, jets_per_class)
    _check(jets_per_class, seed, workers, chunk_jets)
    settings = settings or Settings()
    plan = chunks.Plan(seed, chunk_jets, asdict(settings), _versions())
    folder = chunks.chunk_folder(output)
    refuse_foreign(output, plan)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"cannot create {folder}: {error.strerror}") from error
    with chunks.locked(folder):
        chunks.prepare(folder, plan)
        numbers = range(-(-jets_per_class // chunk_jets))
        wanted = [(kind, number) for number in numbers for kind in CLASSES]
        _run(folder, plan, settings, wanted, workers, progress)
        return merge(output, per_class=jets_per_class)


def _chunk_size(output: Path, jets_per_class: int) -> int:
    """Jets of a chunk where the caller leaves it open."""
    folder = chunks.chunk_folder(output)
    if (folder / "plan.json").exists():
        return chunks.read_plan(folder).chunk_jets
    return max(min(jets_per_class, CHUNK_JETS), 1)


def _check(jets_per_class: int, seed: int, workers: int, chunk_jets: int) -> None:
    least = {
        "jets_per_class": (jets_per_class, 1),
        "seed": (seed, 0),
        "workers": (workers, 1),
        "chunk_jets": (chunk_jets, 1),
    }
    blockers = [
        Blocker(name, f"must be {low} or more, found {value}")
        for name, (value, low) in least.items()
        if value < low
    ]
    if blockers:
        raise ConfigError(blockers)


def _versions() -> dict[str, str]:
    """Versions of what makes the numbers."""
    found = {"recipe": _RECIPE}
    for name in ("pythia8mc", "fastjet"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ToolMissingError(
                f"{name} is needed to simulate jets: install trigger_ml[jets]"
            ) from None
    return found


def _run(
    folder: Path,
    plan: chunks.Plan,
    settings: Settings,
    wanted: list[tuple[str, int]],
    workers: int,
    progress: Progress | None,
) -> None:
    """Make the chunks that are not there yet, classes in turn."""
    missing = [task for task in wanted if not chunks.chunk_file(folder, *task).exists()]
    done, total = len(wanted) - len(missing), len(wanted)
    if progress:
        progress(done * plan.chunk_jets, total * plan.chunk_jets)
    if not missing:
        return

    def finished(_index: int) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done * plan.chunk_jets, total * plan.chunk_jets)

    tasks = [(folder, kind, number, plan, settings) for kind, number in missing]
    run_in_processes(_make_chunk, tasks, workers, finished)


def _make_chunk(
    folder: Path, kind: str, number: int, plan: chunks.Plan, settings: Settings
) -> None:
    from trigger_ml.tasks.jets.shower import simulate  # the heavy part, in the worker alone

    key = np.random.SeedSequence(plan.seed, spawn_key=(CLASSES.index(kind), number))
    seed = int(key.generate_state(1, np.uint64)[0] % _SEEDS) + 1
    jets = simulate(kind, plan.chunk_jets, seed, settings)
    chunks.write_arrays(
        chunks.chunk_file(folder, kind, number),
        {name: getattr(jets, name) for name in ("features", "constituents", "kinematics", "event")},
    )
