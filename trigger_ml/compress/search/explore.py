"""The search: trials drawn by Optuna, run by workers, and the front that they leave.

Nothing that ended is lost or repeated, however the search ends: workers write results before
they tell of them, and a search in the same folder goes on from the files (see :mod:`.trials` and
:mod:`.study`). In the folder:

    study.json   what the search is made of
    study.db     Optuna's record, unless another storage was named
    trials/      one folder for every trial
    front.*      the front of the trials that ended so far, rewritten after each
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from trigger_ml.compress.front.files import write_front
from trigger_ml.compress.front.pareto import Point, pareto_front
from trigger_ml.compress.search.space import Parameters, Space
from trigger_ml.compress.search.study import Study, StudyPlan, open_study
from trigger_ml.compress.search.trials import Ended, Evaluator, TrialRequest
from trigger_ml.compress.search.workers import HOW, Pool, check_scheduler, open_pool
from trigger_ml.errors import (
    BlockedError,
    Blocker,
    BuildError,
    ConfigError,
    ToolMissingError,
)
from trigger_ml.progress import Listener, Stage, Stopwatch

__all__ = ["ExploreOutcome", "ExploreRequest", "explore"]

MOST_REASONS: Final = 5
PLOT_EVERY_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class ExploreRequest:
    """A search, new or to be continued.

    folder: of the study. space: what is searched. fingerprint: what else the trials depend on
    (digests of the model, the data and the recipe): a study is continued only with the same.
    metric: the metric's name, for the front. trials: how many in all, those that ended before
    counted. jobs: how many at once. scheduler: see :mod:`trigger_ml.compress.search.workers`.
    storage: URL of an Optuna storage, or journal:FILE; ``study.db`` in the folder when None.
    defaults: parameters of the first trial, as far as the space holds them; the rest is drawn.
    prepare: writes what the evaluator reads into the folder, once the folder is ours.
    """

    folder: Path
    space: Space
    fingerprint: Mapping[str, str]
    metric: str
    trials: int = 50
    jobs: int = 1
    scheduler: str = "local"
    storage: str | None = None
    seed: int = 1
    defaults: Parameters = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True)
class ExploreOutcome:
    """What a search has found. All trials of the folder, those that ended before included.

    points: of all trials. front: those that no other beats. finished: numbers of the trials
    with a result. failed: the reason, by number. before: how many had ended when this search
    began. repeated: numbers of those that were begun before and had to be run again.
    """

    folder: Path
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    finished: tuple[int, ...]
    failed: Mapping[int, str]
    before: int
    repeated: tuple[int, ...]


def explore(request: ExploreRequest, evaluator: Evaluator, listener: Listener) -> ExploreOutcome:
    """Run trials until there are as many as asked for.

    evaluator: runs one trial; it is pickled, and called in the workers.
    Raises ConfigError for a scheduler, a storage or a number that cannot be, or a study of
    something else; BuildError when another search works in the folder or the disk is full;
    ToolMissingError without Optuna or Dask; BlockedError when every trial failed.
    KeyboardInterrupt goes through; the workers end, and everything that ended is kept.
    """
    _check(request)
    # Workers may have another working directory. Here, trials that wait would learn nothing
    # from those before them.
    jobs = 1 if request.scheduler == "in-process" else request.jobs
    request = replace(request, folder=request.folder.absolute(), jobs=jobs)
    watch = Stopwatch(listener)
    with _held(request.folder), watch.stage("explore", "search") as stage:
        plan = StudyPlan(
            request.folder,
            request.storage,
            request.space,
            request.defaults,
            request.seed,
            request.fingerprint,
        )
        study = open_study(plan)
        if request.prepare is not None:
            request.prepare(request.folder)
        ended, pending = study.reconcile()
        before = len(ended)
        search = _Search(request, study, ended, stage)
        repeated = search.run(evaluator, pending)
        stage.note = search.note()
    return _outcome(request.folder, ended, before, repeated)


class _Search:
    """The trials that run, and those that ended."""

    def __init__(
        self, request: ExploreRequest, study: Study, ended: dict[int, Ended], stage: Stage
    ) -> None:
        self._request = request
        self._study = study
        self._ended = ended
        self._stage = stage
        self._running = 0
        self._plotted = time.monotonic()

    def run(self, evaluator: Evaluator, pending: tuple[TrialRequest, ...]) -> tuple[int, ...]:
        """Run what was begun before, then new trials; the numbers of the former."""
        request = self._request
        self._stage.moved(len(self._ended), request.trials)
        missing = max(request.trials - len(self._ended), 0)
        begun, repeated = iter(pending), tuple(trial.number for trial in pending[:missing])
        if missing:
            self._show()
            with open_pool(request.scheduler, request.jobs, evaluator, request.folder) as pool:
                while self._fill(pool, begun) or self._running:
                    self._take(pool)
        self._show(plots=True)
        return repeated

    def _fill(self, pool: Pool, begun: Iterator[TrialRequest]) -> bool:
        """Hand out trials until the workers are busy; whether there was one."""
        some = False
        while (
            self._running < self._request.jobs
            and len(self._ended) + self._running < self._request.trials
        ):
            pool.submit(next(begun, None) or self._study.ask())
            self._running += 1
            some = True
        return some

    def _take(self, pool: Pool) -> None:
        number, end = pool.next_ended()
        self._running -= 1
        self._study.tell(number, end)
        self._ended[number] = end
        self._show()
        self._stage.note = self.note()
        self._stage.moved(len(self._ended), self._request.trials)

    def _show(self, *, plots: bool = False) -> None:
        """Rewrite the front; its plots, which take a second, not all the time."""
        now = time.monotonic()
        plots = plots or now - self._plotted > PLOT_EVERY_S
        self._plotted = now if plots else self._plotted
        write_front(self._request.folder, _points(self._ended), self._request.metric, plots=plots)

    def note(self) -> str:
        """What came out so far, in a few words."""
        failed = sum(end.result is None for end in self._ended.values())
        front = pareto_front(_points(self._ended))
        return f"{len(front)} designs on the front, {failed} of {len(self._ended)} trials failed"


def _points(ended: Mapping[int, Ended]) -> tuple[Point, ...]:
    results = (ended[number].result for number in sorted(ended))
    return tuple(point for result in results if result is not None for point in result.points)


def _outcome(
    folder: Path, ended: Mapping[int, Ended], before: int, repeated: tuple[int, ...]
) -> ExploreOutcome:
    failed = {n: ended[n].reason for n in sorted(ended) if ended[n].result is None}
    if failed and len(failed) == len(ended):
        raise BlockedError(_blockers(failed))
    points = _points(ended)
    finished = tuple(number for number in sorted(ended) if number not in failed)
    return ExploreOutcome(folder, points, pareto_front(points), finished, failed, before, repeated)


def _blockers(failed: Mapping[int, str]) -> list[Blocker]:
    """One blocker for each reason; every trial has failed."""
    numbers: dict[str, list[int]] = {}
    for number, reason in failed.items():
        numbers.setdefault(reason, []).append(number)
    common = sorted(numbers.items(), key=lambda item: -len(item[1]))
    blockers = [
        Blocker(f"{len(found)} of {len(failed)} trials (the first is {found[0]})", reason)
        for reason, found in common[:MOST_REASONS]
    ]
    if len(common) > MOST_REASONS:
        what = f"failed for {len(common) - MOST_REASONS} more reasons"
        blockers.append(Blocker("others", what, "see failure.json in the trials' folders"))
    return blockers


def _check(request: ExploreRequest) -> None:
    blockers = [
        Blocker(name, f"must be 1 or more, is {number}")
        for name, number in (("trials", request.trials), ("jobs", request.jobs))
        if number < 1
    ]
    if request.seed < 0:
        blockers.append(Blocker("seed", f"must not be negative, is {request.seed}"))
    if request.folder.exists() and not _ours(request.folder):
        what = "exists and is not the folder of a search"
        blockers.append(Blocker(str(request.folder), what, "choose another"))
    try:
        check_scheduler(request.scheduler)
    except BlockedError as error:
        blockers += error.blockers
    if blockers:
        raise ConfigError(blockers)
    if find_spec("optuna") is None:
        raise ToolMissingError(f"the package optuna is needed to search; {HOW}")


def _ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    # A search that was killed at its very start leaves its lock alone.
    return (folder / "study.json").exists() or {path.name for path in folder.iterdir()} <= {".lock"}


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a study's folder: one search at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(
            f"{folder} is being explored by another process; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise BuildError(f"the disk of {folder} is full; free some space") from error
        raise BuildError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
