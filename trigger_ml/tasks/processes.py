"""Simulations in processes of their own, which end with the one that started them."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from trigger_ml.errors import BuildError

__all__ = ["calm", "run_in_processes", "silent"]


def run_in_processes(
    work: Callable[..., None],
    tasks: Sequence[tuple[Any, ...]],
    processes: int,
    finished: Callable[[int], None],
) -> None:
    """Call ``work(*task)`` for every task, in ``processes`` at once; what work prints is dropped.

    finished: called here with the index of each task when it is done, in any order.
    Raises BuildError when a process was killed, and what ``work`` raises; then, and after a
    KeyboardInterrupt, no process is left.
    """
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(tasks)), context, initializer=silent)
    try:
        running: dict[Future[None], int] = {
            pool.submit(work, *task): index for index, task in enumerate(tasks)
        }
        for future in as_completed(running):
            future.result()
            finished(running[future])
    except BrokenProcessPool as error:
        raise BuildError(
            "a simulation process was killed (out of memory?); what was finished is kept, "
            "run again to go on, with fewer processes if memory is short"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
            child.join()


def silent() -> None:
    """In a worker: as :func:`calm`, and what libraries print is nobody's business."""
    calm()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def calm() -> None:
    """In a worker: an interruption from the keyboard is the parent's business, and without a
    parent it ends, instead of waiting for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
