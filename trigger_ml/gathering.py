"""Several checks, each of which raises all that it finds, and one list of it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trigger_ml.errors import BlockedError, Blocker

__all__ = ["Gathering"]

Result = TypeVar("Result")


class Gathering:
    """What stands in the way, from checks that do not need each other."""

    def __init__(self) -> None:
        self._errors: list[BlockedError] = []

    @property
    def blockers(self) -> list[Blocker]:
        """All that was found, in the order of the checks, each thing once."""
        found = [blocker for error in self._errors for blocker in error.blockers]
        return list(dict.fromkeys(found))

    def run(self, check: Callable[[], Result]) -> Result | None:
        """What a check returns; None where it raised, which is kept."""
        try:
            return check()
        except BlockedError as error:
            self._errors.append(error)
            return None

    def finish(self) -> None:
        """Raise everything at once: in the class of the errors, if they have one."""
        if not self._errors:
            return
        kinds = {type(error) for error in self._errors}
        kind = kinds.pop() if len(kinds) == 1 else BlockedError
        raise kind(self.blockers)
