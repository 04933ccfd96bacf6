"""Chamber images on disk: made in parallel, streamed into one HDF5 file, read back checked.

A file is made of chunks of CHUNK images, each drawn from a seed of its own, so that any number
of processes gives the same images, and a larger sample begins with the smaller one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from trigger_ml.errors import Blocker, BuildError, ConfigError, DataError
from trigger_ml.tasks.jets.files import new_hdf5
from trigger_ml.tasks.muons.chamber import LAYERS
from trigger_ml.tasks.muons.images import MOST_MUONS, SHAPE, Images
from trigger_ml.tasks.muons.recipe import SampleRecipe
from trigger_ml.tasks.muons.simulate import simulate
from trigger_ml.tasks.processes import calm

__all__ = ["CHUNK", "FORMAT", "chunk_seed", "count_images", "read_muons", "write_muons"]

FORMAT: Final = "trigger_ml muons"
VERSION: Final = 1
"""Raise this with every change of the code that changes an image."""
CHUNK: Final = 2048
"""Images of a chunk: drawn together, and read without the rest."""

_TRACK = ((MOST_MUONS,), "float32")
_DATASETS: Final[dict[str, tuple[tuple[int, ...], str]]] = {
    "hits": (SHAPE, "uint8"),
    "truth": (SHAPE, "uint8"),
    "muons": ((), "uint8"),
    "pt": _TRACK,
    "eta": _TRACK,
    "strip": _TRACK,
    "charge": _TRACK,
    "background": ((), "float32"),
    "dead_layers": ((), "uint8"),
}
"""Shape of one image's entry and type of each dataset; names as in ``Images``."""

Progress = Callable[[int, int], None]


def chunk_seed(seed: int, chunk: int) -> np.random.Generator:
    """The generator of one chunk: independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chunk,)))


def write_muons(
    output: Path, recipe: SampleRecipe, *, jobs: int = 1, progress: Progress | None = None
) -> None:
    """Simulate ``recipe.images`` images into one HDF5 file, which appears whole or not at all.

    jobs: processes, 1 for this one alone; the images do not depend on it. progress: called with
    (images done, images in all).

    Raises ConfigError for fewer than one process, DataError where ``output`` is another file
    than a sample made here, BuildError when it cannot be written.
    """
    if jobs < 1:
        raise ConfigError(Blocker("jobs", f"must be 1 or more, found {jobs}"))
    _refuse_foreign(output)
    done = 0
    with new_hdf5(output) as (file, check):
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["seed"], file.attrs["recipe"] = recipe.seed, recipe.to_yaml()
        _create(file, recipe.images)
        for images in _chunks(recipe, jobs):
            for name in _DATASETS:
                file[name][done : done + len(images)] = getattr(images, name)
            check()
            done += len(images)
            if progress:
                progress(done, recipe.images)


def _create(file: Any, images: int) -> None:
    for name, (shape, kind) in _DATASETS.items():
        file.create_dataset(
            name,
            shape=(images, *shape),
            dtype=kind,
            chunks=(min(images, CHUNK // 8 if shape == SHAPE else CHUNK), *shape),
            compression="gzip",
            compression_opts=1,
        )


def _chunks(recipe: SampleRecipe, jobs: int) -> Iterator[Images]:
    """The chunks of a sample in order, the last one cut to what is asked for."""
    chunks = range(-(-recipe.images // CHUNK))
    if jobs == 1:
        yield from (_chunk(recipe, chunk) for chunk in chunks)
        return
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(min(jobs, len(chunks)), get_context("spawn"), initializer=calm)
    waiting: deque[Future[Images]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_chunk, recipe, chunk))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BuildError("a simulation process was killed (out of memory?)") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunk(recipe: SampleRecipe, chunk: int) -> Images:
    drawn = simulate(CHUNK, recipe, chunk_seed(recipe.seed, chunk))
    return drawn[: min(CHUNK, recipe.images - chunk * CHUNK)]


def _refuse_foreign(path: Path) -> None:
    """Never replace a file that is not a sample of chamber images."""
    if not path.exists():
        return
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") == FORMAT:
                return
    except (OSError, RuntimeError):
        pass
    what = "exists and is not a sample of chamber images made here"
    raise DataError(Blocker(str(path), what, "choose another output, or remove that file"))


def count_images(path: Path) -> int:
    """Images of a file. Raises DataError as :func:`read_muons`."""
    with _opened(path) as file:
        return len(file["hits"])


def read_muons(path: Path, start: int = 0, stop: int | None = None) -> Images:
    """Read the images of a file from ``start`` up to, not including, ``stop``.

    Raises DataError listing all that is wrong: no HDF5 file, datasets that are missing, of
    another type or of unequal length, words of more than six bits, true hits that are no hits,
    muons that are counted otherwise than listed, and a range without images.
    """
    with _opened(path) as file:
        images = len(file["hits"])
        stop = images if stop is None else min(stop, images)
        if not 0 <= start < stop:
            what = f"images {start} to {stop} were asked for, it has {images}"
            raise DataError(Blocker(str(path), what))
        try:
            found = Images(**{name: np.asarray(file[name][start:stop]) for name in _DATASETS})
        except (OSError, RuntimeError) as error:
            raise DataError(Blocker(str(path), f"cannot be read: {error}")) from error
    if blockers := list(_content_blockers(path, found)):
        raise DataError(blockers)
    return found


def _opened(path: Path) -> Any:
    """An HDF5 file of ours, its datasets checked for shape and type."""
    if not path.exists():
        raise DataError(Blocker(str(path), "does not exist", "make it with trigger-ml data muons"))
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise DataError(Blocker(str(path), f"is not an HDF5 file: {error}")) from error
    blockers = list(_layout_blockers(path, file))
    if blockers:
        file.close()
        raise DataError(blockers)
    return file


def _layout_blockers(path: Path, file: Any) -> Iterator[Blocker]:
    hits = file.get("hits")
    images = len(hits) if isinstance(hits, h5py.Dataset) and hits.ndim else 0
    if not images:
        yield Blocker(f"{path}: hits", "holds no image")
    for name, (shape, kind) in _DATASETS.items():
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            yield Blocker(f"{path}: {name}", "there is no such dataset")
        elif dataset.shape != (images, *shape) or dataset.dtype != kind:
            found = f"{dataset.dtype.name} {dataset.shape}"
            yield Blocker(f"{path}: {name}", f"must be {kind} {(images, *shape)}, found {found}")


def _content_blockers(path: Path, images: Images) -> Iterator[Blocker]:
    for name in ("hits", "truth", "dead_layers"):
        most = int(getattr(images, name).max())
        if most >= 1 << LAYERS:
            yield Blocker(f"{path}: {name}", f"must be words of {LAYERS} bits, found {most}")
    if np.any(images.truth & ~images.hits):
        yield Blocker(f"{path}: truth", "marks hits that are not in the image")
    if np.any(images.hits & images.dead_layers[:, None, None]):
        yield Blocker(f"{path}: dead_layers", "names layers that have hits")
    for name in ("pt", "eta", "strip", "charge"):
        listed = np.isfinite(getattr(images, name)).sum(axis=1)
        if np.any(listed != images.muons):
            row = int(np.flatnonzero(listed != images.muons)[0])
            what = f"lists {listed[row]} muons in row {row}, {images.muons[row]} are counted"
            yield Blocker(f"{path}: {name}", what)
