"""Metrics by name.

    accuracy                     share of events in their class
    auc, auc:CLASS               area under the ROC curve: mean over the classes, or one class
    rejection@EFF[:CLASS]        1 / background efficiency at a signal efficiency
    edge_purity[@T], edge_efficiency[@T]      of edges whose sigmoid reaches T, 0.5 by default
    muon_efficiency[@T], muon_fake_rate[@T]   of images, likewise
    package.module:function      f(scores, labels) -> float, from a module of yours

CLASS is a name or a number from 0. Higher is better in all of them.
"""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from trigger_ml.compress.metrics.change import (
    MetricChange,
    compare_metric,
    not_worse,
    require_resolution,
)
from trigger_ml.compress.metrics.kinds import (
    Accuracy,
    Auc,
    EdgeEfficiency,
    EdgePurity,
    Metric,
    MuonEfficiency,
    MuonFakeRate,
    Rejection,
    UserMetric,
)
from trigger_ml.errors import Blocker, ConfigError

__all__ = [
    "Metric",
    "MetricChange",
    "compare_metric",
    "find_metric",
    "not_worse",
    "require_resolution",
]

BINARY: Final[dict[str, Callable[[str, float], Metric]]] = {
    "edge_purity": EdgePurity,
    "edge_efficiency": EdgeEfficiency,
    "muon_efficiency": MuonEfficiency,
    "muon_fake_rate": MuonFakeRate,
}
NAMES: Final = ("accuracy", "auc", "rejection", *BINARY)
PATTERN: Final = re.compile(r"(?P<name>\w+)(@(?P<number>[^:@]*))?(:(?P<label>.*))?", re.DOTALL)
ENTRY: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def find_metric(text: str, classes: Sequence[str]) -> Metric:
    """The metric that a text names.

    classes: names of the classes in order, for the metrics of one; empty where there are none.
    Raises ConfigError for an unknown metric, class or number, naming the nearest known one, and
    for a function that is not there or cannot be called.
    """
    found = PATTERN.fullmatch(text.strip())
    name = found["name"] if found else ""
    if found is None or name not in NAMES:
        return _user_metric(text.strip())
    text = text.strip()
    number, label = found["number"], found["label"]
    match name:
        case "accuracy" if number is None and label is None:
            return Accuracy()
        case "auc" if number is None:
            return Auc(text, _class_index(text, label, classes))
        case "rejection" if number is not None:
            index = _class_index(text, label, classes)
            return Rejection(text, _share(text, number), index)
        case _ if name in BINARY and label is None:
            return BINARY[name](text, 0.5 if number is None else _share(text, number))
    raise ConfigError(Blocker(f"metric {text}", "is not written so", f"write {_form(name)}"))


def _form(name: str) -> str:
    return {
        "accuracy": "accuracy",
        "auc": "auc, or auc:CLASS",
        "rejection": "rejection@0.3, or rejection@0.3:CLASS",
    }.get(name, f"{name}, or {name}@0.5")


def _share(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        what = f"{number!r} is not a number between 0 and 1"
        raise ConfigError(Blocker(f"metric {text}", what))
    return value


def _class_index(text: str, label: str | None, classes: Sequence[str]) -> int | None:
    """Number of a class that is given by name or number; a name goes first."""
    if label is None:
        return None
    if label in classes:
        return list(classes).index(label)
    if re.fullmatch(r"\d+", label) and (not classes or int(label) < len(classes)):
        return int(label)
    lower = {name.lower(): name for name in classes}
    near = difflib.get_close_matches(label.lower(), list(lower), n=1, cutoff=0.5)
    known = ", ".join(classes) or "numbers, as the events have no names"
    fix = f"did you mean {lower[near[0]]}?" if near else f"the classes are {known}"
    raise ConfigError(Blocker(f"metric {text}", f"there is no class {label!r}", fix))


def _user_metric(text: str) -> Metric:
    near = difflib.get_close_matches(re.split("[@:]", text)[0], NAMES, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else ""
    if not ENTRY.fullmatch(text):
        fix = hint or f"it is one of {', '.join(NAMES)}, or package.module:function"
        raise ConfigError(Blocker(f"metric {text}", "there is no such metric", fix))
    module, _, path = text.partition(":")
    try:
        with _current_folder_first():
            found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        what = f"module {module} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError(Blocker(f"metric {text}", what, hint)) from error
    for part in path.split("."):
        if not hasattr(found, part):
            names = [name for name in dir(found) if not name.startswith("_")]
            near = difflib.get_close_matches(part, names, n=1, cutoff=0.5)
            fix = f"did you mean {near[0]}?" if near else ""
            raise ConfigError(Blocker(f"metric {text}", f"{module} has no {part}", fix))
        found = getattr(found, part)
    if not callable(found):
        what = f"{path} is a {type(found).__name__}, not a function"
        raise ConfigError(Blocker(f"metric {text}", what, "it must be f(scores, labels) -> float"))
    return UserMetric(text, found)


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Modules of the current folder are found, as by ``python -m``, while one is imported."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(folder)
