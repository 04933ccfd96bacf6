"""The exceptions of trigger_ml.

    TriggerMLError               anything this package raises on purpose; exit code 2
    ├── BlockedError             one or more blockers in what the user gave, all listed at once
    │   ├── ModelError           a model file that cannot be read, or a layer without a meaning
    │   ├── DataError            events of the wrong shape, type, range or number
    │   └── ConfigError          a key, part, clock or budget that makes no sense
    ├── ToolError                an external program
    │   ├── ToolMissingError     is not installed
    │   └── ToolFailedError      ended with a non-zero status
    └── BuildError               the output directory: locked, read-only, full, incomplete, altered

A verdict (a mismatch, an unmet budget) is not an exception: it is a
:class:`trigger_ml.artifacts.Verdict`, and the command ends with exit code 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BlockedError",
    "Blocker",
    "BuildError",
    "ConfigError",
    "DataError",
    "ModelError",
    "ToolError",
    "ToolFailedError",
    "ToolMissingError",
    "TriggerMLError",
]


class TriggerMLError(Exception):
    """Base of every deliberate error. ``exit_code`` is what the command line returns."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that stands in the way.

    where: the layer, key, column or file it was found in.
    what: the rule and the value that breaks it.
    fix: what the user can do about it; empty when nothing can be done.
    """

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}"
        return f"{line}\n    -> {self.fix}" if self.fix else line


class BlockedError(TriggerMLError):
    """Everything that is wrong with one input, collected before raising."""

    def __init__(self, blockers: Blocker | Sequence[Blocker]) -> None:
        self.blockers = (blockers,) if isinstance(blockers, Blocker) else tuple(blockers)
        if not self.blockers:
            raise ValueError("an error needs at least one blocker")
        super().__init__("\n".join(str(blocker) for blocker in self.blockers))

    def __reduce__(self) -> tuple[type[BlockedError], tuple[tuple[Blocker, ...]]]:
        return type(self), (self.blockers,)


class ModelError(BlockedError):
    """The model file, or a layer in it, cannot become firmware."""


class DataError(BlockedError):
    """The events cannot be used with this model or task."""


class ConfigError(BlockedError):
    """The configuration asks for something that does not exist or cannot be."""


class ToolError(TriggerMLError):
    """An external program could not do its part."""


class ToolMissingError(ToolError):
    """A program is not installed; the message says what it is for and how to get it."""


class ToolFailedError(ToolError):
    """A program returned a non-zero status; the message ends with its own last lines.

    log: file with all that it printed, where there is one.
    """

    def __init__(self, what: str, log: Path | None = None) -> None:
        self.what, self.log = what, log
        super().__init__(what if log is None else f"{what}\n  whole output: {log}")

    def __reduce__(self) -> tuple[type[ToolFailedError], tuple[str, Path | None]]:
        return type(self), (self.what, self.log)


class BuildError(TriggerMLError):
    """The output directory cannot be written, is in use, or is not what a build left there."""
