"""What the report files of AMD's tools have in common: headers, tables, numbers, states.

Formats: AMD UG835 (report_utilization, report_timing_summary), UG906 (how to read them) and
UG1399 (Vitis HLS). A figure that a report leaves open is None, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Resources
from trigger_ml.errors import Blocker, DataError

__all__ = [
    "Kind",
    "State",
    "VendorReport",
    "broken",
    "header",
    "number",
    "read_text",
    "rows",
    "state_of",
]

OPEN: Final = frozenset({"", "-", "na", "n/a", "undef", "?", "x"})
"""What the tools print where they have no figure."""
HEADER_LINES: Final = 40
_HEADER: Final = re.compile(r"^\|\s*([A-Z][A-Za-z ]*?)\s*:\s*(.*?)\s*$")
_NUMBER: Final = re.compile(r"[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?")


class Kind(Enum):
    """What a report is about, in the words of a message."""

    CSYNTH = "C synthesis report"
    COSIM = "cosimulation report"
    UTILIZATION = "utilization report"
    HIERARCHY = "hierarchical utilization report"
    TIMING = "timing summary"


class State(IntEnum):
    """How far a design had come when it was reported; the further one is believed."""

    ESTIMATED = 0
    """C synthesis: before any netlist."""
    SYNTHESIZED = 1
    OPTIMIZED = 2
    PLACED = 3
    ROUTED = 4

    @property
    def word(self) -> str:
        """As it is written in a report: "routed"."""
        return self.name.lower()


STATES: Final[Mapping[str, State]] = {
    "synthesized": State.SYNTHESIZED,
    "optimized": State.OPTIMIZED,
    "fully placed": State.PLACED,
    "physopt postplace": State.PLACED,
    "routed": State.ROUTED,
    "fully routed": State.ROUTED,
    "physopt postroute": State.ROUTED,
}
"""Vivado's "Design State". A partly placed or routed design is none of these: its state is open."""


@dataclass(frozen=True, slots=True)
class VendorReport:
    """One report file.

    design: top that was reported. part: as the tool spells it. state: None where the file does
    not say. resources: counts, of kinds that count. figures: others, with units in their keys;
    None where the tool left one open. by_layer: counts of the instances right below the top.
    """

    kind: Kind
    file: Path
    tool: str
    version: str
    design: str | None = None
    part: str | None = None
    state: State | None = None
    resources: Resources | None = None
    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    by_layer: Mapping[str, Resources] = field(default_factory=dict)


def broken(path: Path, kind: Kind, what: str) -> DataError:
    """The error of a file that is not, or not wholly, what it should be."""
    return DataError(
        Blocker(str(path), f"not a whole {kind.value}: {what}", "run the tool's report again")
    )


def read_text(path: Path, kind: Kind) -> str:
    """A report's text. Raises DataError for one that cannot be read or is empty."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error.strerror}")) from error
    if not text.strip():
        raise broken(path, kind, "the file is empty")
    return text


def number(text: str | None) -> float | None:
    """A figure; None for "-", "NA", "undef" and the like, and for what is no number.

    A share in parentheses behind it ("5804(0.34%)") is left out.
    """
    cell = (text or "").split("(")[0].strip()
    if cell.lower() in OPEN or not _NUMBER.fullmatch(cell):
        return None
    return float(cell.replace(",", ""))


def header(text: str) -> dict[str, str]:
    """Vivado's lines "| Tool Version : ...", by their key."""
    found: dict[str, str] = {}
    for line in text.splitlines()[:HEADER_LINES]:
        match = _HEADER.match(line)
        if match:
            found.setdefault(match[1], match[2])
    return found


def rows(text: str) -> Iterator[Sequence[str]]:
    """Cells of every line "| ... | ... |"; the first keeps its indentation, less one blank."""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("|") and bare.endswith("|") and len(bare) > 1:
            first, *others = bare[1:-1].split("|")
            yield (first.removeprefix(" ").rstrip(), *(cell.strip() for cell in others))


def state_of(words: str | None) -> State | None:
    """A "Design State"; None for one that is not known."""
    return STATES.get(" ".join((words or "").lower().split()))
