"""Jets as labelled events for ``compress``, ``explore`` and ``compile``: scaled, with their sides.

The file holds x (inputs on their grid), y, classes, split (0 train, 1 validation, 2 test) and
event; what scaled the inputs lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.files import appearing, write_text
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.splits import SIDES, Split, sides
from trigger_ml.tasks.jets.constituent_scaling import fit_constituent_scaling, scale_inputs
from trigger_ml.tasks.jets.loaders import load_jets
from trigger_ml.tasks.jets.names import CLASSES, CONSTITUENTS, FEATURES
from trigger_ml.tasks.jets.recipe import Inputs
from trigger_ml.tasks.jets.scaling import Scaling, fit_scaling
from trigger_ml.tasks.jets.top_tagging import TOP_CLASSES, is_top_tagging, load_top_tagging

__all__ = ["PARTICLE_INPUTS", "EventsRequest", "EventsWritten", "write_jet_events"]

PARTICLE_INPUTS: Final = Inputs(bits=12, integer=2, coverage=0.995)
"""Grid of particles: on jets of 1 TeV, steps of 0.25 GeV and 0.0005, and few saturated; a network
keeps the bits that it needs."""
TOP_OF: Final[Mapping[str, int]] = {"g": 0, "q": 0, "t": 1}
"""Places in TOP_CLASSES of the classes that take part in top against QCD."""


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """What to write.

    constituents: the so many hardest particles of each jet, or None for the 16 features.
    scaling: to apply; None fits one on the training side, to the grid ``inputs`` (None: 8 bits
    for features, PARTICLE_INPUTS for particles). top_qcd: two classes, QCD (g and q) and top; W
    and Z are left out. split, seed: of the events, as a tagger's recipe has them.
    validation: so many of the jets that do not train validate, about, and the rest of them tests;
    None leaves that to the split.
    """

    constituents: int | None = None
    scaling: Scaling | None = None
    inputs: Inputs | None = None
    top_qcd: bool = False
    split: Split = field(default_factory=Split)
    seed: int = 1
    validation: int | None = None


@dataclass(frozen=True, slots=True)
class EventsWritten:
    """What was written: files, shape of one event, and jets of each side."""

    events: Path
    scaling: Path
    shape: tuple[int, ...]
    jets: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Jets:
    """Unscaled inputs, labels (places in classes), sides and event numbers."""

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    side: NDArray[np.int64]
    event: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str


def write_jet_events(
    sample: Path, output: Path, request: EventsRequest, listener: Listener | None = None
) -> EventsWritten:
    """Write ``output`` and, beside it, ``<stem>.scaling.json``.

    sample: whatever :func:`trigger_ml.tasks.jets.loaders.load_jets` reads, or the public
    top-tagging reference set, which says itself which of its jets train.

    Raises ConfigError for an impossible request, DataError for jets that cannot be used,
    BuildError where a file cannot be written.
    """
    watch = Stopwatch(listener or Quiet())
    _require_sense(output, request)
    with watch.stage("read", "read the jets") as stage:
        if is_top_tagging(sample):
            jets = _top(sample, request)
            _require_classes(jets, np.unique(jets.side).tolist())
        else:
            jets = _five(sample, request)
            _require_classes(jets, range(len(SIDES)))
        stage.note = f"{len(jets.labels):,} jets of {', '.join(jets.classes)}"
    with watch.stage("write", "scale and write them") as stage:
        scaling = request.scaling or _fitted(jets, request)
        inputs = scale_inputs(scaling, jets.values)
        with appearing(output) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                x=inputs,
                y=jets.labels.astype(np.int8),
                classes=np.array(jets.classes),
                split=jets.side.astype(np.int8),
                event=jets.event,
            )
        beside = output.with_name(f"{output.stem}.scaling.json")
        write_text(beside, scaling.to_json())
        counts = {name: int((jets.side == k).sum()) for k, name in enumerate(SIDES)}
        stage.note = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return EventsWritten(output, beside, inputs.shape[1:], counts)


def _require_sense(output: Path, request: EventsRequest) -> None:
    blockers = []
    if output.suffix.lower() != ".npz":
        blockers.append(Blocker("--output", f"must be an .npz file, found {output.name}"))
    if request.validation is not None and request.validation < 1:
        blockers.append(Blocker("--validation", f"must be 1 or more, is {request.validation}"))
    if request.constituents is not None and request.constituents < 1:
        blockers.append(Blocker("--constituents", f"must be 1 or more, is {request.constituents}"))
    if blockers:
        raise ConfigError(blockers)


def _five(sample: Path, request: EventsRequest) -> _Jets:
    """Jets of the five classes, or those of them that are QCD or top."""
    found = load_jets(sample, constituents=request.constituents is not None)
    values: NDArray[np.float32] | None = found.features
    if request.constituents is not None:
        _require_particles(found.constituents, request.constituents, sample)
        assert found.constituents is not None
        values = np.ascontiguousarray(found.constituents[:, : request.constituents])
    event = np.arange(len(found)) if found.event is None else found.event
    labels, classes = found.labels.astype(np.int64), tuple(CLASSES)
    assert values is not None
    if request.top_qcd:
        table = np.array([TOP_OF.get(name, -1) for name in CLASSES])
        labels, classes = table[labels], TOP_CLASSES
        kept = labels >= 0
        values, labels, event = values[kept], labels[kept], event[kept]
    return _Jets(values, labels, _sides(event, request), event, classes, found.source)


def _require_particles(particles: NDArray[np.float32] | None, wanted: int, sample: Path) -> None:
    if particles is None:
        fix = "use its features: leave --constituents out"
        raise DataError(Blocker(str(sample), "holds no constituents", fix))
    if wanted > CONSTITUENTS:
        what = f"a sample keeps {CONSTITUENTS} of each jet, {wanted} are asked for"
        raise ConfigError(Blocker("--constituents", what))


def _top(sample: Path, request: EventsRequest) -> _Jets:
    """The reference set: two classes and its own sides."""
    blockers = []
    if request.constituents is None:
        fix = "say how many particles: --constituents 16"
        blockers.append(Blocker(str(sample), "holds particles and no features", fix))
    if request.validation is not None:
        what = "its jets are already divided into train, validation and test"
        blockers.append(Blocker(str(sample), what, "leave --validation out"))
    if blockers:
        raise ConfigError(blockers)
    assert request.constituents is not None
    found = load_top_tagging(sample, request.constituents)
    return _Jets(
        found.particles,
        found.labels.astype(np.int64),
        found.side.astype(np.int64),
        np.arange(len(found.labels)),
        TOP_CLASSES,
        found.source,
    )


def _sides(event: NDArray[np.int64], request: EventsRequest) -> NDArray[np.int64]:
    """Sides by event number; the training side is the split's own, however many validate.

    The others are divided anew by the same draw, so the jets of one event stay together.
    """
    split, train, test = request.split, SIDES.index("train"), SIDES.index("test")
    side = sides(event, split, request.seed)
    if request.validation is None:
        return side
    held = int((side != train).sum())
    if request.validation >= held:
        what = f"{request.validation:,} of {held:,} jets that do not train leave none to test"
        raise ConfigError(Blocker("--validation", what, "ask for fewer, or give more jets"))
    out = split.test + split.validation
    tests = out * (1 - request.validation / held)
    again = sides(event, Split(test=tests, validation=out - tests), request.seed)
    held_out = np.where(again == test, test, SIDES.index("validation"))
    return np.where(side == train, train, held_out)


def _require_classes(jets: _Jets, there: Iterable[int]) -> None:
    """Raise DataError where one of these sides lacks a class."""
    blockers = []
    for number in there:
        labels = jets.labels[jets.side == number]
        missing = [kind for k, kind in enumerate(jets.classes) if k not in labels]
        if missing:
            side, absent = SIDES[number], ", ".join(missing)
            what = f"the {side} side ({len(labels)} jets) has none of class {absent}"
            blockers.append(Blocker(jets.source, what, "give more jets, of all classes"))
    if blockers:
        raise DataError(blockers)


def _fitted(jets: _Jets, request: EventsRequest) -> Scaling:
    training: NDArray[Any] = jets.values[jets.side == SIDES.index("train")]
    if not len(training):
        fix = "give --scaling, or the jets that train too"
        raise DataError(Blocker(jets.source, "has no training jets to fit a scaling on", fix))
    if training.ndim == 3:
        grid = request.inputs or PARTICLE_INPUTS
        return fit_constituent_scaling(training, grid.bits, grid.integer, grid.coverage)
    grid = request.inputs or Inputs()
    return fit_scaling(training, FEATURES, grid.bits, grid.integer, grid.coverage)
