"""The study of a search: Optuna's record of what was asked and told, and how it is resumed.

The trials' folders are the truth (see :mod:`.trials`). The database can be
behind them, because a search may be killed between any two writes, or lost: what is missing is
told, added or asked again when the study is opened, under the same number with the same
parameters.

Every trial is drawn by a sampler of its own (multi-objective TPE: Y. Ozaki et al., J. Artif.
Intell. Res. 73 (2022) 1209), seeded by the study's seed and the trial's number. A trial so
depends on the seed, its number, and what had been told before it was asked: with one job, a
search that was interrupted goes the way it would have gone (unless it was killed in the very
milliseconds of a drawing: what was not drawn yet is then drawn from the seed's beginning). With
several jobs, the order in which trials end decides, as it does without an interruption.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.compress.search.space import Parameters, Space
from trigger_ml.compress.search.trials import Ended, TrialFolder, TrialRequest, all_trials
from trigger_ml.errors import Blocker, BuildError, ConfigError, TriggerMLError
from trigger_ml.files import write_text

__all__ = ["Study", "StudyPlan", "open_study"]

JOURNAL: Final = "journal:"
DIRECTIONS: Final = ("minimize", "maximize")
STARTUP_TRIALS: Final = 10
"""Trials drawn at random before the sampler looks at results; Optuna's own default."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study is. Fields as in :class:`trigger_ml.compress.search.explore.ExploreRequest`."""

    folder: Path
    storage: str | None
    space: Space
    defaults: Parameters
    seed: int
    fingerprint: Mapping[str, str]

    @property
    def identity(self) -> dict[str, str]:
        """Everything that may not change between two searches in one folder."""
        space = {f"space.{name}": json.dumps(v) for name, v in self.space.to_json().items()}
        return {**self.fingerprint, **space, "seed": str(self.seed)}


class Study:
    """An open study. It is asked for trials and told how they ended."""

    def __init__(self, plan: StudyPlan, study: Any) -> None:
        self._plan = plan
        self._study = study

    def reconcile(self) -> tuple[dict[int, Ended], tuple[TrialRequest, ...]]:
        """Make the database agree with the trials' folders.

        Returns how every trial ended that did, and what still has to run, both by number.
        Raises BuildError when a trial ended, says the database, and its record is gone.
        """
        recorded = all_trials(self._plan.folder)
        highest = max((trial.number for trial in recorded), default=-1)
        ended: dict[int, Ended] = {}
        pending: list[TrialRequest] = []
        with _database_errors(self._plan.folder):
            while self._asked() <= highest:
                self._ask()
            for trial in self._trials():
                if trial.state.name == "WAITING":
                    continue
                folder = TrialFolder(self._plan.folder, trial.number)
                end = folder.ended()
                if end is not None:
                    ended[trial.number] = end
                    if not trial.state.is_finished():
                        self._tell(trial.number, end)
                elif trial.state.is_finished():
                    raise BuildError(_gone(folder.path))
                else:
                    pending.append(self._request(trial))
        return ended, tuple(pending)

    def ask(self) -> TrialRequest:
        """Draw the parameters of a new trial and write them down."""
        with _database_errors(self._plan.folder):
            return self._request(self._ask())

    def tell(self, number: int, ended: Ended) -> None:
        """How a trial ended; its own record is written already."""
        with _database_errors(self._plan.folder):
            self._tell(number, ended)

    def _trials(self) -> list[Any]:
        trials: list[Any] = self._study.get_trials(deepcopy=False)
        return sorted(trials, key=lambda trial: trial.number)

    def _asked(self) -> int:
        return sum(trial.state.name != "WAITING" for trial in self._trials())

    def _ask(self) -> Any:
        """A new trial of the database, running; its parameters may be there already."""
        number = self._asked()
        if not any(trial.state.name == "WAITING" for trial in self._trials()):
            given = TrialFolder(self._plan.folder, number).parameters()
            if given is None and number == 0:
                given = self._plan.space.within(self._plan.defaults)
            if given:
                searched = {
                    name: given[name] for name in self._plan.space.searched if name in given
                }
                self._study.enqueue_trial(searched)
        self._study.sampler = _sampler(self._plan.seed, number)
        trial = self._study.ask()
        assert trial.number == number
        self._plan.space.suggest(trial)
        return trial

    def _request(self, trial: Any) -> TrialRequest:
        """A running trial as a request; parameters are drawn that a kill left undrawn."""
        folder = TrialFolder(self._plan.folder, trial.number)
        given = folder.parameters()
        if given is not None:
            return TrialRequest(trial.number, given, folder.path)
        return folder.record(self._plan.space.suggest(self._running(trial.number)))

    def _running(self, number: int) -> Any:
        import optuna

        self._study.sampler = _sampler(self._plan.seed, number)
        return optuna.Trial(self._study, self._trials()[number]._trial_id)

    def _tell(self, number: int, ended: Ended) -> None:
        from optuna.trial import TrialState

        if ended.result is None:
            self._running(number).set_user_attr("failure", ended.reason)
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, ended.result.values)


def open_study(plan: StudyPlan) -> Study:
    """Make a study in a folder, or open the one that is there.

    The folder is held by the caller: one search at a time. Raises ConfigError when the study
    there was made of something else, saying what changed, or when the storage cannot be;
    BuildError when the folder or the database cannot be written.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name = _claim(plan)
    with _database_errors(plan.folder):
        study = optuna.create_study(
            study_name=name,
            storage=_storage(plan),
            directions=DIRECTIONS,
            load_if_exists=True,
        )
        known = study.user_attrs.get("fingerprint")
        if known is None:
            study.set_user_attr("fingerprint", plan.identity)
        else:
            _same(plan, known)
    return Study(plan, study)


def _claim(plan: StudyPlan) -> str:
    """The study's name in its database, from the folder's record, which is made if need be."""
    path = plan.folder / "study.json"
    if not path.exists():
        # The folder's name alone could be another study's in a database that is shared.
        name = f"{plan.folder.name}-{uuid.uuid4().hex[:8]}"
        text = json.dumps({"schema": 1, "study": name, "fingerprint": plan.identity}, indent=1)
        write_text(path, text)
        return name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        name, known = str(data["study"]), dict(data["fingerprint"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); restore it, or use another folder"
        ) from None
    _same(plan, known)
    return name


def _same(plan: StudyPlan, known: Mapping[str, str]) -> None:
    now = plan.identity
    changed = [key for key in sorted(known.keys() | now.keys()) if known.get(key) != now.get(key)]
    if changed:
        fix = "undo the change, or choose another folder"
        raise ConfigError(
            [
                Blocker(
                    f"{plan.folder}: {key}",
                    f"was {_short(known.get(key))} when this search began, "
                    f"and is {_short(now.get(key))} now",
                    fix,
                )
                for key in changed
            ]
        )


def _short(value: str | None) -> str:
    if value is None:
        return "not there"
    return value if len(value) <= 60 else f"{value[:57]}..."


def _sampler(seed: int, number: int) -> Any:
    from optuna.samplers import TPESampler

    state = np.random.SeedSequence([seed, number]).generate_state(1)
    return TPESampler(seed=int(state[0]), n_startup_trials=STARTUP_TRIALS)


def _storage(plan: StudyPlan) -> Any:
    """The Optuna storage. Raises ConfigError for one that cannot be."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    if plan.storage is not None and plan.storage.startswith(JOURNAL):
        path = Path(plan.storage.removeprefix(JOURNAL))
        if not path.parent.is_dir():
            fix = "make that folder first"
            raise ConfigError(Blocker("storage", f"{path.parent} is no folder", fix))
        _mend(path)
        return JournalStorage(JournalFileBackend(str(path)))
    fix = "write sqlite:///FILE, journal:FILE, or the URL of another database that Optuna knows"
    try:
        database = str(plan.folder.absolute() / "study.db")
        url = make_url(plan.storage or URL.create("sqlite", database=database))
        return RDBStorage(url.render_as_string(hide_password=False))
    except (ArgumentError, NoSuchModuleError) as error:
        # The whole text is not repeated: it may hold a password.
        raise ConfigError(
            Blocker("storage", f"is no database: {type(error).__name__}", fix)
        ) from error
    except ImportError as error:
        what = f"the driver of this database is not installed: {error}"
        raise ConfigError(Blocker("storage", what, f"pip install it, or {fix}")) from error


def _mend(path: Path) -> None:
    """Cut off a journal's last line where a full disk left half of it: nobody could append."""
    if not path.exists() or path.stat().st_size == 0:
        return
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        with path.open("r+b") as handle:
            handle.truncate(content.rfind(b"\n") + 1)
            os.fsync(handle.fileno())


@contextlib.contextmanager
def _database_errors(folder: Path) -> Iterator[None]:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    again = "the search can be continued with the same command"
    try:
        yield
    except TriggerMLError:
        raise
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise BuildError(f"the database of {folder} does not answer: {reason}; {again}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BuildError(f"the disk of {folder} is full; free some space; {again}") from error
        raise BuildError(f"{folder} cannot be used: {error.strerror or error}") from error


def _gone(folder: Path) -> str:
    return (
        f"the trial in {folder} ended, says the study's database, and its record is gone; "
        "restore it, or remove the database, which is then made again from the other trials"
    )
