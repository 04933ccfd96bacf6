"""One run of one trial, in the process that was given it."""

from __future__ import annotations

import errno
import os
import threading
import time
import traceback
from pathlib import Path
from typing import Final

from filelock import FileLock

from trigger_ml.compress.search.reaper import watched
from trigger_ml.compress.search.trials import Ended, Evaluator, TrialFolder, TrialRequest
from trigger_ml.errors import BuildError, TriggerMLError

__all__ = ["RETRIES", "run_trial"]

RETRIES: Final = 2
"""How often a trial is run again in one search after the process that ran it was lost."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT)

_one_trial = threading.Lock()


def run_trial(evaluator: Evaluator, request: TrialRequest, session: str) -> Ended:
    """Run a trial and write down how it ended, before anybody is told.

    session: the search that asks; it counts how often it lost a process over this trial.
    A trial that has ended is not run again. Raises BuildError when the disk is full or the
    folder cannot be written: that is no fault of the trial, which stays to be run.
    """
    trial = TrialFolder(request.folder.parents[1], request.number)
    # One trial at a time in a process, and one process at a time in a trial: a search that was
    # killed may have left a process on another machine, which is allowed to finish.
    with _one_trial, FileLock(request.folder / ".lock"):
        ended = trial.ended()
        if ended is None:
            try:
                ended = _run(evaluator, request, session, trial)
            except OSError as error:
                raise _stop(error, request.folder) from error
        return ended


def _run(evaluator: Evaluator, request: TrialRequest, session: str, trial: TrialFolder) -> Ended:
    begin = time.perf_counter()
    lost = trial.starts(session)
    if lost > RETRIES:
        ended = Ended(None, f"the process that ran it was lost {lost} times (killed, or crashed)")
        trial.finish(ended)
        return ended
    trial.clean()
    trial.count_start(session)
    with watched(request.folder):
        try:
            result = trial.check(evaluator(request))
        except Exception as error:
            if _is_full(error) or isinstance(error, BuildError):
                trial.clean()  # what is half-made may be what fills the disk
                raise _stop(error, request.folder) from error
            ended = Ended(None, _reason(error), time.perf_counter() - begin)
        else:
            _sync(request.folder)
            ended = Ended(result, seconds=time.perf_counter() - begin)
    trial.finish(ended)
    return ended


def _reason(error: Exception) -> str:
    """A deliberate message as it is; for anything else, where it came from too."""
    if isinstance(error, TriggerMLError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"{text} ({Path(place.filename).name}, line {place.lineno})"


def _stop(error: Exception, folder: Path) -> TriggerMLError:
    """What ends the whole search."""
    if _is_full(error):
        return BuildError(
            f"the disk of {folder} is full; free some space; the search can be continued with "
            "the same command"
        )
    if isinstance(error, TriggerMLError):
        return error
    assert isinstance(error, OSError)
    return BuildError(f"{folder} cannot be used: {error.strerror or error}")


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error; a process that met one can only tell in words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if isinstance(error, TriggerMLError) and os.strerror(errno.ENOSPC) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _sync(folder: Path) -> None:
    """Model files must survive a power cut that the result survives."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
