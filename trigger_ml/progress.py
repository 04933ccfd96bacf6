"""How stages tell of their progress without printing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Listener", "Quiet", "Stopwatch"]


class Listener(Protocol):
    """Hears when a stage starts, how far it is, and when it has ended."""

    def started(self, stage: str) -> None:
        """A stage begins; several may run at once."""

    def moved(self, stage: str, done: int, total: int) -> None:
        """It has done ``done`` of ``total``."""

    def ended(self, stage: str, seconds: float, note: str) -> None:
        """It is over; ``note`` says what came out, in a few words."""


class Quiet:
    """A listener that does nothing."""

    def started(self, stage: str) -> None:
        """Ignored."""

    def moved(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def ended(self, stage: str, seconds: float, note: str) -> None:
        """Ignored."""


class Stopwatch:
    """Times stages by a key and tells a listener about them."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._begin = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, key: str, title: str) -> Iterator[Stage]:
        """A stage: ``key`` for the report, ``title`` for people."""
        self._listener.started(title)
        stage = Stage(self._listener, title)
        begin = time.perf_counter()
        try:
            yield stage
        finally:
            seconds = time.perf_counter() - begin
            self.seconds[key] = self.seconds.get(key, 0.0) + seconds
            self._listener.ended(title, seconds, stage.note)

    @property
    def total(self) -> float:
        """Seconds since this stopwatch was made."""
        return time.perf_counter() - self._begin


class Stage:
    """A stage that is running."""

    def __init__(self, listener: Listener, title: str) -> None:
        self._listener = listener
        self._title = title
        self.note = ""

    def moved(self, done: int, total: int) -> None:
        """Pass progress on."""
        self._listener.moved(self._title, done, total)
