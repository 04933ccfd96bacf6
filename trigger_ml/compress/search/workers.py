"""Where trials run: this process, processes of this machine, or a cluster, through Dask.

A scheduler is named by a text:

    local             processes of this machine, one for each job
    in-process        this very process, one trial after the other, without Dask
    tcp://host:port   a Dask scheduler that is running already (tls:// likewise)
    FILE.yaml         a batch system, by dask-jobqueue: ``cluster: slurm`` and its ``options:``

The workers of a cluster must see the study's folder under the same path.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from trigger_ml.compress.search.attempt import run_trial
from trigger_ml.compress.search.trials import Ended, Evaluator, TrialRequest
from trigger_ml.errors import (
    Blocker,
    ConfigError,
    ToolFailedError,
    ToolMissingError,
    TriggerMLError,
)
from trigger_ml.settings import read_settings

__all__ = ["Pool", "Queue", "check_scheduler", "open_pool"]

ADDRESSES: Final = ("tcp://", "tls://")
CONNECT_S: Final = 15
CLOSE_S: Final = 10.0
"""How long a cluster may take to end before nobody waits any more."""
LOST_UNSTARTED: Final = 20
"""How often a trial is handed out again whose process was lost before it began."""
HOW: Final = "pip install 'trigger_ml[compress]'"
HOW_CLUSTER: Final = "pip install 'trigger_ml[cluster]'"
QUEUES: Final = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
SETTINGS: Final = {
    # Trials count their lost processes themselves: Dask would count for those that waited too.
    "distributed.scheduler.allowed-failures": 1000,
    # Tracing a network holds Python's lock for long; such a worker is not dead.
    "distributed.scheduler.worker-ttl": None,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
}


class Queue(BaseModel):
    """The YAML file of a batch system. options: keywords of the dask-jobqueue class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: Literal["htcondor", "lsf", "moab", "oar", "pbs", "sge", "slurm"]
    options: Mapping[str, Any] = Field(default_factory=dict)


class Pool(Protocol):
    """What runs trials."""

    def submit(self, request: TrialRequest) -> None:
        """Hand out a trial."""

    def next_ended(self) -> tuple[int, Ended]:
        """Wait until one of those handed out has ended: its number, and how.

        Raises BuildError when its folder cannot be written, ToolFailedError when the workers
        cannot run it at all.
        """


class _InProcess:
    """One trial after the other, here."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._session = uuid.uuid4().hex
        self._waiting: list[TrialRequest] = []

    def submit(self, request: TrialRequest) -> None:
        self._waiting.append(request)

    def next_ended(self) -> tuple[int, Ended]:
        request = self._waiting.pop(0)
        return request.number, run_trial(self._evaluator, request, self._session)


class _Dask:
    """Processes behind a Dask client."""

    def __init__(self, client: Any, evaluator: Evaluator) -> None:
        from distributed import as_completed

        self._client = client
        self._evaluator = evaluator
        self._session = uuid.uuid4().hex
        self._running: dict[str, TrialRequest] = {}
        self._lost: dict[int, int] = {}
        self._completed = as_completed(loop=client.loop)

    def submit(self, request: TrialRequest) -> None:
        future = self._client.submit(
            run_trial,
            self._evaluator,
            request,
            self._session,
            key=f"trial-{request.number}-{uuid.uuid4().hex}",
            pure=False,
        )
        self._running[future.key] = request
        self._completed.add(future)

    def next_ended(self) -> tuple[int, Ended]:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        while True:
            future = next(self._completed)
            request = self._running.pop(future.key)
            try:
                ended: Ended = future.result()
                return request.number, ended
            except KilledWorker as error:
                self._again(request, error)
            except (FutureCancelledError, OSError) as error:
                raise ToolFailedError(
                    f"the connection to the Dask scheduler was lost: {error}; the search can be "
                    "continued with the same command"
                ) from error
            except TriggerMLError:
                raise
            except Exception as error:
                raise ToolFailedError(
                    f"a worker could not run trial {request.number}: "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _again(self, request: TrialRequest, error: Exception) -> None:
        """Hand a trial out again; it knows itself how often it began."""
        self._lost[request.number] = self._lost.get(request.number, 0) + 1
        if self._lost[request.number] > LOST_UNSTARTED:
            raise ToolFailedError(f"the workers are lost before trials begin: {error}") from error
        self.submit(request)


def check_scheduler(text: str) -> Queue | None:
    """The batch system that a scheduler's text names, if it does.

    Raises ConfigError when the text names nothing, ToolMissingError when its package is absent.
    """
    if text == "in-process":
        return None
    _require("distributed", "run trials in processes of their own", HOW)
    if text == "local" or text.startswith(ADDRESSES):
        return None
    if not text.endswith((".yaml", ".yml")):
        fix = "write local, in-process, tcp://HOST:PORT, or the YAML file of a batch system"
        raise ConfigError(Blocker("scheduler", f"{text!r} is none", fix))
    queue = read_settings(Queue, Path(text))
    _require("dask_jobqueue", f"run trials on {queue.cluster}", HOW_CLUSTER)
    return queue


@contextlib.contextmanager
def open_pool(scheduler: str, jobs: int, evaluator: Evaluator, folder: Path) -> Iterator[Pool]:
    """What runs trials; workers that were started for it end with the block.

    jobs: processes to start, of this machine or the batch system. folder: the study's; Dask
    keeps its scratch files there.
    Raises as :func:`check_scheduler`, and ConfigError when a scheduler does not answer.
    """
    queue = check_scheduler(scheduler)
    if scheduler == "in-process":
        yield _InProcess(evaluator)
        return
    import dask
    from distributed import Client

    scratch = folder / ".dask"
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silence())
        stack.enter_context(dask.config.set(SETTINGS))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        if scheduler.startswith(ADDRESSES):
            client = _connect(scheduler)
        else:
            cluster = _queue(queue, jobs) if queue else _local(jobs, scratch)
            stack.callback(_close, cluster)
            client = Client(cluster, set_as_default=False)
        stack.callback(_close, client)
        yield _Dask(client, evaluator)


def _local(jobs: int, scratch: Path) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,  # trainings live in processes of their own, which Dask does not see
        # A free port of this machine alone: the usual one may be taken, which Dask tells loudly.
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
        local_directory=str(scratch),
    )


def _close(what: Any) -> None:
    """End a client, or a cluster with its workers; those of this machine at once.

    Dask waits for a worker's task, which can be a training of an hour. What ended is on disk,
    and what a killed worker started is ended by its reaper.
    """
    workers = getattr(what, "workers", {})
    for nanny in workers.values() if isinstance(workers, Mapping) else ():
        if getattr(nanny, "pid", None) is not None:
            nanny.auto_restart = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)
    # Dask asserts this and that while it closes. The results are on disk, and workers whose
    # scheduler is gone end by themselves, so none of it is the search's failure.
    with contextlib.suppress(Exception):
        what.close(timeout=CLOSE_S)


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        fix = "start one with `dask scheduler`, or choose --scheduler local"
        what = f"no Dask scheduler answers at {address}: {error}"
        raise ConfigError(Blocker("scheduler", what, fix)) from error


def _queue(queue: Queue, jobs: int) -> Any:
    import dask_jobqueue

    # One process in a job and one thread in it, unless asked otherwise: a training fills a core.
    options = {"cores": 1, "processes": 1, "memory": "4GiB", **queue.options}
    try:
        cluster = getattr(dask_jobqueue, QUEUES[queue.cluster])(**options)
        cluster.scale(jobs=jobs)
    except (TypeError, ValueError) as error:
        fix = "see the documentation of dask-jobqueue"
        raise ConfigError(Blocker(f"scheduler: {queue.cluster}", str(error), fix)) from error
    return cluster


def _require(package: str, purpose: str, how: str) -> None:
    from importlib.util import find_spec

    try:
        found = find_spec(package) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        raise ToolMissingError(f"the package {package} is needed to {purpose}; {how}")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Lost workers are reported by the trials; Dask's own words would break the display."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
