"""Event displays of a file of track hits or of one hit graph, written as a picture."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ConfigError, DataError
from trigger_ml.files import appearing
from trigger_ml.tasks.tracks.display import Zoom, event_display
from trigger_ml.tasks.tracks.firmware_scores import firmware_scores
from trigger_ml.tasks.tracks.graphs import HitGraph, build
from trigger_ml.tasks.tracks.hep_trkx import read_hep_trkx
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.store import TrackStore

__all__ = ["read_scores", "show_tracks"]

FORMS: Final[dict[str, Literal["png", "svg"]]] = {".png": "png", ".svg": "svg"}


def show_tracks(
    path: Path,
    event: int,
    output: Path,
    scores: Path | None = None,
    build_folder: Path | None = None,
    threshold: float = 0.5,
    zoom: Zoom | None = None,
) -> str:
    """Draw one event and say in a line what is in it.

    path: track hits (.h5), whose hit graph is built with the cuts that the file names, or one
    graph of HEP.TrkX (.npz), where ``event`` is 0. scores: see :func:`read_scores`. build_folder:
    of an edge classifier, whose firmware's scores are drawn instead.

    Raises DataError for files that cannot be used and an event that is not there, ConfigError
    for another suffix than .png and .svg, BuildError when the picture cannot be written.
    """
    form = FORMS.get(output.suffix.lower())
    if form is None:
        what = f"must end in .png or .svg, found {output.suffix or 'no suffix'}"
        raise ConfigError(Blocker(str(output), what))
    if scores and build_folder:
        raise ConfigError(Blocker("scores", "come from a file or from a build", "give one of them"))
    graph, cuts = _graph(path, event)
    marks = read_scores(scores) if scores else None
    if build_folder:
        marks = firmware_scores(graph, cuts, build_folder)
    title = _title(graph, event)
    content = event_display(graph, marks, threshold=threshold, form=form, title=title, zoom=zoom)
    with appearing(output) as part:
        part.write_bytes(content)
    return title


def _graph(path: Path, event: int) -> tuple[HitGraph, Cuts]:
    if path.suffix.lower() != ".npz":
        store = TrackStore.open(path)
        return build(store.event(event), store.cuts), store.cuts
    if event != 0:
        raise DataError(Blocker(f"{path}: event {event}", "is not there: the file is one graph"))
    return read_hep_trkx(path), Cuts()


def _title(graph: HitGraph, event: int) -> str:
    particles = len(np.unique(graph.particle))
    edges = f"{graph.edges:,} candidates, {int(graph.truth.sum()):,} of them true"
    return f"event {event}: {graph.nodes:,} hits of {particles:,} particles; {edges}"


def read_scores(path: Path) -> NDArray[Any]:
    """The array ``scores`` of an .npz file, one for each edge of the event's hit graph.

    Raises DataError for a file without it, or of anything but numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "scores" not in arrays:
                there = ", ".join(arrays) or "nothing"
                raise DataError(Blocker(str(path), f"must hold the array scores, it has {there}"))
            scores: NDArray[Any] = arrays["scores"]
    except BlockedError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(Blocker(str(path), f"is not an .npz file: {error}")) from error
    if scores.dtype.kind not in "biuf":
        raise DataError(Blocker(f"{path}: scores", f"must hold numbers, found {scores.dtype}"))
    return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores
