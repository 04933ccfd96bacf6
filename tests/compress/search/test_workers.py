"""Searches in processes: killed, interrupted, and on a cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

import trigger_ml.compress.search.workers as workers
from tests.compress.search.ensemble import Fake, request
from tests.compress.search.test_explore import asked
from tests.processes import heed_interrupts
from trigger_ml.compress.search.explore import explore
from trigger_ml.compress.search.reaper import end_processes
from trigger_ml.compress.search.workers import check_scheduler, open_pool
from trigger_ml.errors import BuildError, ConfigError, ToolFailedError, ToolMissingError
from trigger_ml.progress import Quiet

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


@contextlib.contextmanager
def started(folder: Path, fake: Fake, scheduler: str) -> Iterator[subprocess.Popen[bytes]]:
    """Six trials of ``fake.seconds``, two at a time, in a process group of their own."""
    arguments = (str(folder), str(fake.log), scheduler, "2", "6", str(fake.seconds), "")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.compress.search.ensemble", *arguments],
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def gone(fake: Fake) -> bool:
    """Whether every process that trials started is gone."""
    return not any(psutil.pid_exists(int(line.split()[1])) for line in fake.told("child"))


def group_gone(group: int) -> bool:
    """Whether a process group has nobody left who could still write."""
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return False
    return True


@pytest.mark.parametrize("scheduler", ["local", "in-process"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_search_goes_on(tmp_path: Path, scheduler: str, how: signal.Signals) -> None:
    folder, fake = tmp_path / "s", Fake(tmp_path / "log", seconds=0.7)
    with started(folder, fake, scheduler) as driver:
        until(lambda: len(fake.told("child")) >= 3)
        with pytest.raises(BuildError, match="is being explored by another process"):
            explore(request(folder), fake, Quiet())
        begin = time.monotonic()
        os.killpg(driver.pid, how) if how == signal.SIGINT else driver.kill()
        driver.wait(PATIENCE_S)
        assert time.monotonic() - begin < 10, "it waited for its workers"
    until(lambda: gone(fake) and group_gone(driver.pid))
    finished = {int(f.parent.name) for f in (folder / "trials").glob("*/result.json")}
    before, runs = asked(folder), len(fake.told("run"))
    assert 1 <= len(finished) < 6 and len(before) > len(finished)
    outcome = explore(request(folder), Fake(fake.log), Quiet())
    assert outcome.finished == (0, 1, 2, 3, 4, 5) and outcome.before == len(finished)
    assert set(outcome.repeated) == set(before) - finished
    again = fake.told("run")[runs:]
    assert sorted(again) == [f"run {number}" for number in range(6) if number not in finished]
    assert {number: asked(folder)[number] for number in before} == before


def test_workers_that_are_killed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    fake = Fake(tmp_path / "log", deadly=((1, 2), (2, 99)), child=True)
    outcome = explore(request(folder, trials=5, jobs=2, scheduler="local"), fake, Quiet())
    assert outcome.finished == (0, 1, 3, 4)
    assert outcome.failed == {2: "the process that ran it was lost 3 times (killed, or crashed)"}
    runs = fake.told("run")
    assert [runs.count(f"run {number}") for number in range(5)] == [1, 3, 3, 1, 1]
    until(lambda: gone(fake))
    assert not (folder / ".dask").exists()
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_in_a_worker(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "log", full=1, child=True)
    (tmp_path / "full").touch()
    with pytest.raises(BuildError, match="is full; free some space"):
        explore(request(tmp_path / "s", jobs=2, scheduler="local"), fake, Quiet())
    (tmp_path / "full").unlink()
    until(lambda: gone(fake))
    assert explore(request(tmp_path / "s", trials=3), fake, Quiet()).finished == (0, 1, 2)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A scheduler with one worker of two threads, in this process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=60,
    ) as running:
        yield running


def test_a_scheduler_that_runs_already(tmp_path: Path, cluster: Any) -> None:
    address = cluster.scheduler_address
    assert address.startswith("tcp://")
    fake = Fake(tmp_path / "log", seconds=0.1, child=True)
    outcome = explore(request(tmp_path / "s", trials=4, jobs=2, scheduler=address), fake, Quiet())
    assert outcome.finished == (0, 1, 2, 3)
    # Never two at once in one process: one would end the other's children.
    assert [line.split()[0] for line in fake.told()] == ["run", "child", "done"] * 4
    assert len(cluster.workers) == 1, "the scheduler is somebody else's"


def test_a_scheduler_that_goes_away(tmp_path: Path, cluster: Any) -> None:
    fake = Fake(tmp_path / "log", seconds=1)
    with open_pool(cluster.scheduler_address, 1, fake, tmp_path) as pool:
        (tmp_path / "trials/0").mkdir(parents=True)
        pool.submit(workers.TrialRequest(0, {"width": 4, "beta": 0.1}, tmp_path / "trials/0"))
        until(lambda: bool(fake.told("run")))
        cluster.close()
        with pytest.raises(ToolFailedError, match="the connection to the Dask scheduler was lost"):
            pool.next_ended()


def test_no_scheduler_at_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONNECT_S", 0.3)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        explore(request(tmp_path / "s", scheduler="tcp://127.0.0.1:1"), Fake(tmp_path), Quiet())


def queue_file(folder: Path, text: str) -> str:
    path = folder / "queue.yaml"
    path.write_text(text)
    return str(path)


def test_a_batch_system_without_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ToolMissingError, match=r"dask_jobqueue is needed .* pip install"):
        explore(
            request(tmp_path / "s", scheduler=queue_file(tmp_path, "cluster: slurm")),
            Fake(tmp_path / "log"),
            Quiet(),
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cluster: slrum", "cluster: Input should be 'htcondor', "),
        ("cluster: slurm\nqueue: long", "queue: there is no such key"),
        ("options: {}", "cluster: Field required"),
        ("- 1", "must hold sections with keys"),
    ],
)
def test_a_wrong_batch_system(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_scheduler(queue_file(tmp_path, text))
    assert message in str(caught.value)


def test_a_batch_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Any) -> None:
    asked_for: dict[str, Any] = {}

    class Slurm:
        def __getattr__(self, name: str) -> Any:
            return getattr(cluster, name)

        def __init__(self, *, cores: int, processes: int, memory: str, queue: str) -> None:
            asked_for.update(cores=cores, processes=processes, memory=memory, queue=queue)

        def scale(self, *, jobs: int) -> None:
            asked_for["jobs"] = jobs

        def close(self, timeout: float) -> None:
            asked_for["closed"] = True

    module = ModuleType("dask_jobqueue")
    module.__spec__ = SimpleNamespace()  # type: ignore[assignment]
    module.SLURMCluster = Slurm  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask_jobqueue", module)
    queue = queue_file(tmp_path, "cluster: slurm\noptions: {queue: long, memory: 8GiB}")
    asking = request(tmp_path / "s", trials=2, jobs=2, scheduler=queue)
    assert explore(asking, Fake(tmp_path / "log"), Quiet()).finished == (0, 1)
    assert asked_for == {
        "cores": 1, "processes": 1, "memory": "8GiB", "queue": "long",
        "jobs": 2, "closed": True,
    }  # fmt: skip
    wrong = queue_file(tmp_path, "cluster: slurm\noptions: {quue: long}")
    with pytest.raises(ConfigError, match=r"scheduler: slurm: .*'quue'"):
        explore(request(tmp_path / "t", scheduler=wrong), Fake(tmp_path / "log"), Quiet())


def test_only_marked_processes_are_ended(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    marks = [f"{tmp_path}/trials/1:a", f"{tmp_path}/trials/10:a", f"{tmp_path}/trials/1:b"]
    processes = [
        subprocess.Popen(program, env={**os.environ, "TRIGGER_ML_TRIAL": mark}) for mark in marks
    ]
    try:
        time.sleep(0.1)
        assert end_processes(f"{tmp_path}/trials/1:") == 2
        assert [process.poll() is None for process in processes] == [False, True, False]
    finally:
        for process in processes:
            process.kill()
            process.wait()
