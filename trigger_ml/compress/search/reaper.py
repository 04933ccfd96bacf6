"""Ends what a trial started, also when the process that ran the trial was killed.

A killed process cannot clean up behind itself, and a training that it started would go on, and
write into a folder that the repeated trial uses. So everything that a trial starts carries its
folder in an environment variable, and beside every trial runs this module as a process of its
own (``python -m trigger_ml.compress.search.reaper MARK``). It waits for the end of its standard
input, which comes when the trial's process is gone, however that went.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trigger_ml.toolrun import Command, Worker

__all__ = ["end_processes", "main", "watched"]

MARK: Final = "TRIGGER_ML_TRIAL"
"""Environment variable: for which run of a trial a process works, as FOLDER:RUN."""


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """While the block runs, processes it starts are marked; none of them outlives it.

    One block at a time in a process: the environment is the process's.
    """
    end_processes(f"{folder}:")
    mark = f"{folder}:{uuid.uuid4().hex}"
    before = os.environ.get(MARK)
    with Worker(Command((sys.executable, "-m", __name__, mark), folder, "watch over a trial")):
        os.environ[MARK] = mark
        try:
            yield
        finally:
            if before is None:
                del os.environ[MARK]
            else:
                os.environ[MARK] = before
            end_processes(mark)


def end_processes(mark: str) -> int:
    """Kill every process of this user whose mark begins so; how many there were."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK, "").startswith(mark):
                process.kill()
                found.append(process)
    psutil.wait_procs(found, timeout=5)
    return len(found)


def main() -> None:
    """Wait until nobody is left to read for, then end the trial's processes."""
    sys.stdin.read()
    end_processes(sys.argv[1])


if __name__ == "__main__":
    main()
