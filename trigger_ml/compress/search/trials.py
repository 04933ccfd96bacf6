"""A trial of the search, and its folder: the files that say what was asked and what came out.

A trial is one training with drawn parameters. Its folder ``trials/<number>`` holds

    request.json    the parameters, before anything runs
    starts.json     which searches started it, and how often
    result.json     what came out; it appears last, when every model file is complete
    failure.json    why nothing came out
    ...             whatever the evaluator writes

The files are the truth; the study's database is made to agree with them. A folder with neither
result nor failure is a trial that still has to run.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from trigger_ml.compress.front.pareto import Point
from trigger_ml.compress.search.space import Parameters, Value
from trigger_ml.errors import Blocker, BuildError, DataError, TriggerMLError
from trigger_ml.files import write_text

__all__ = [
    "Ended",
    "Evaluator",
    "TrialFolder",
    "TrialRequest",
    "TrialResult",
    "all_trials",
]

SCHEMA: Final = 1
KEPT: Final = ("request.json", "starts.json", ".lock")
"""What stays in a trial's folder when it is run again."""


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """One training to run. folder: its own, existing and empty but for the trial's records."""

    number: int
    parameters: Parameters
    folder: Path


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a training yields.

    points: one or more designs; the model files that they name lie in the study's folder (a
    point's ``model`` is relative to it) and are complete. values: (LUT, metric) of the point
    that stands for the trial in the search, both finite.
    """

    points: tuple[Point, ...]
    values: tuple[float, float]


class Evaluator(Protocol):
    """Runs a trial. It is pickled and called in a worker process."""

    def __call__(self, request: TrialRequest) -> TrialResult:
        """Train, compress, measure.

        Raises TriggerMLError when these parameters lead nowhere (a diverged training): the
        trial fails and the search goes on; BuildError stops the search.
        """


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that is over: its result, or the reason why there is none."""

    result: TrialResult | None
    reason: str = ""
    seconds: float = 0.0


class TrialFolder:
    """The records of one trial in its folder."""

    def __init__(self, study: Path, number: int) -> None:
        self.number = number
        self.study = study
        self.path = study / "trials" / str(number)

    def parameters(self) -> dict[str, Value] | None:
        """What the trial was asked for; None when it was not recorded."""
        with self._read("request.json") as data:
            return None if data is None else dict(data["parameters"])

    def record(self, parameters: Parameters) -> TrialRequest:
        """Write down what the trial is asked for."""
        self._write("request.json", {"parameters": dict(parameters)})
        return TrialRequest(self.number, dict(parameters), self.path)

    def ended(self) -> Ended | None:
        """How the trial ended; None while it has not. Raises BuildError for a damaged record."""
        with self._read("result.json") as data:
            if data is not None:
                points = tuple(Point.from_json(item) for item in data["points"])
                lut, metric = data["values"]
                return Ended(TrialResult(points, (lut, metric)), seconds=data["seconds"])
        with self._read("failure.json") as data:
            return None if data is None else Ended(None, data["reason"], data["seconds"])

    def finish(self, ended: Ended) -> None:
        """Write down how the trial ended. Raises BuildError when that is not possible."""
        if ended.result is None:
            data: dict[str, Any] = {"reason": ended.reason, "seconds": ended.seconds}
            self._write("failure.json", data)
            return
        points = [point.to_json() for point in ended.result.points]
        values = list(ended.result.values)
        self._write("result.json", {"points": points, "values": values, "seconds": ended.seconds})

    def starts(self, session: str) -> int:
        """How often a search has started this trial."""
        with self._read("starts.json") as data:
            return 0 if data is None else int(data["sessions"].get(session, 0))

    def count_start(self, session: str) -> None:
        """Write down that a search starts this trial, before it does."""
        with self._read("starts.json") as data:
            sessions = {} if data is None else dict(data["sessions"])
        sessions[session] = sessions.get(session, 0) + 1
        self._write("starts.json", {"sessions": sessions})

    def clean(self) -> None:
        """Remove what an interrupted run of this trial left."""
        self.path.mkdir(parents=True, exist_ok=True)
        for entry in self.path.iterdir():
            if entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def check(self, result: Any) -> TrialResult:
        """A result as an evaluator owes it. Raises DataError for anything else."""
        where = f"trial {self.number}"
        if not isinstance(result, TrialResult) or not result.points:
            raise DataError(Blocker(where, "it yielded no point"))
        if len(result.values) != 2 or not all(map(math.isfinite, result.values)):
            raise DataError(Blocker(where, f"LUT and metric must be finite, are {result.values}"))
        lost = [p.model for p in result.points if p.model and not (self.study / p.model).exists()]
        if lost:
            raise DataError(
                [Blocker(where, f"its model file {name} is not there") for name in lost]
            )
        return result

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        text = json.dumps({"schema": SCHEMA, **data}, indent=1, allow_nan=False)
        write_text(self.path / name, text)

    @contextmanager
    def _read(self, name: str) -> Iterator[Any]:
        """A record's content, None when there is none; a damaged one is a BuildError."""
        path = self.path / name
        try:
            data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
            if data is not None and data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']!r}, {SCHEMA} is read")
            yield data
        except (OSError, KeyError, TypeError, ValueError, TriggerMLError) as error:
            raise BuildError(
                f"{path} is damaged ({type(error).__name__}: {error}); restore it, or remove "
                f"{self.path} to run the trial again"
            ) from error


def all_trials(study: Path) -> tuple[TrialFolder, ...]:
    """Every trial that was ever recorded in a study's folder, by number."""
    folder = study / "trials"
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
    found = (TrialFolder(study, number) for number in sorted(numbers))
    return tuple(trial for trial in found if (trial.path / "request.json").exists())
