"""A search whose trials are arithmetic, for tests; and a program that runs it."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from trigger_ml.compress.front.pareto import Point
from trigger_ml.compress.search.explore import ExploreRequest, explore
from trigger_ml.compress.search.space import parse_space
from trigger_ml.compress.search.trials import TrialRequest, TrialResult
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.progress import Quiet

SPACE = {
    "width": {"low": 4, "high": 64, "step": 4},
    "beta": {"low": 1e-6, "high": 1e-2, "log": True},
    "kind": {"choices": ["plain", "wide"]},
    "epochs": 3,
}
DEFAULTS = {"width": 32, "beta": 1e-4, "kind": "plain", "epochs": 3}
CHILD = "import sys, time; time.sleep(600)"


def request(folder: Path, **changes: object) -> ExploreRequest:
    plain = ExploreRequest(
        folder,
        parse_space(SPACE, "space"),
        {"model": "aa", "data": "bb"},
        "accuracy",
        trials=6,
        scheduler="in-process",
        defaults=DEFAULTS,
    )
    return replace(plain, **changes)


@dataclass(frozen=True)
class Fake:
    """LUT and metric by formula. Every run is a line in ``log``.

    seconds: how long a run takes. diverging, buggy: numbers that fail. deadly: how often a trial
    kills its process, by number. full: the number that meets a full disk while the file ``full``
    is there. child: start a process that would outlive the run. ballast: bytes of a model file.
    """

    log: Path
    seconds: float = 0.0
    diverging: frozenset[int] = field(default_factory=frozenset)
    buggy: frozenset[int] = field(default_factory=frozenset)
    deadly: tuple[tuple[int, int], ...] = ()
    full: int = -1
    child: bool = False
    ballast: int = 0

    def __call__(self, trial: TrialRequest) -> TrialResult:
        assert not (trial.folder / "model.txt").exists(), "the folder was not cleaned"
        self._log(f"run {trial.number}")
        model = trial.folder / "model.txt"
        model.write_text("half")
        if self.child:
            process = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
            self._log(f"child {process.pid}")
        self._misbehave(trial.number)
        time.sleep(self.seconds)
        model.write_bytes(b"whole" + bytes(self.ballast))
        self._log(f"done {trial.number}")
        return result(trial)

    def _misbehave(self, number: int) -> None:
        if number in self.diverging:
            raise ConfigError(Blocker("beta", "the training diverged", "lower it"))
        if number in self.buggy:
            raise ZeroDivisionError("division by zero")
        if self.told().count(f"run {number}") <= dict(self.deadly).get(number, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if number == self.full and self.log.with_name("full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _log(self, line: str) -> None:
        with self.log.open("a") as handle:
            handle.write(line + "\n")

    def told(self, start: str = "") -> list[str]:
        """Lines of the log that begin so."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(start)]


def result(trial: TrialRequest) -> TrialResult:
    width, beta = trial.parameters["width"], trial.parameters["beta"]
    assert isinstance(width, int) and isinstance(beta, float)
    lut = 100.0 * width / (1 + 1e4 * beta)
    metric = 0.8 - 1 / width - 10 * beta
    point = Point(
        name=f"trial {trial.number}",
        lut=lut,
        latency_cycles=width,
        latency_ns=width / 0.36,
        metric=metric,
        metric_low=metric - 0.01,
        metric_high=metric + 0.01,
        reference=0.8,
        change_low=metric - 0.81,
        change_high=metric - 0.79,
        parameters=width,
        model=f"trials/{trial.number}/model.txt",
        trial=trial.number,
        origin="fake",
    )
    return TrialResult((point,), (lut, metric))


def main() -> None:
    """Arguments: folder, log, scheduler, jobs, trials, seconds, storage or nothing."""
    folder, log, scheduler, jobs, trials, seconds, storage = sys.argv[1:]
    asked = request(
        Path(folder),
        scheduler=scheduler,
        jobs=int(jobs),
        trials=int(trials),
        storage=storage or None,
    )
    explore(asked, Fake(Path(log), float(seconds), child=True), Quiet())


if __name__ == "__main__":
    main()
