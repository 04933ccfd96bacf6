"""report.json of a build without RTL: its own schema, so that nobody takes it for the other.

Latency and resources are null: nothing measured them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from trigger_ml.errors import BuildError
from trigger_ml.report.base import Section
from trigger_ml.report.schema import FILE_NAME, HLS_SCHEMA
from trigger_ml.report.sections import Model, Provenance, Segment, VerdictRow, require_follows

__all__ = [
    "Accuracy",
    "CloseRow",
    "HlsReport",
    "PortRow",
    "ProjectSection",
    "TypeRow",
    "is_hls_only",
    "load_hls_report",
]


class PortRow(Section):
    """An input or output of the project. type: as ``ap_fixed`` has it, without the prefix."""

    name: str
    shape: tuple[int, ...]
    type: str


class TypeRow(Section):
    """What was set in a layer: types by hls4ml's name, entries of its tables or None."""

    layer: str
    types: dict[str, str]
    table_size: int | None


class ProjectSection(Section):
    """The hls4ml project, below ``hls``. exact: whether its types were made for equality."""

    top: str
    backend: str
    io_type: str
    part: str
    clock_mhz: float
    exact: bool
    inputs: tuple[PortRow, ...]
    outputs: tuple[PortRow, ...]
    layers: tuple[TypeRow, ...]


class CloseRow(Section):
    """The C simulation beside the model. None is not measured, or there is no decision.

    vectors: which. judged: whether the verdicts are about these. agree: vectors with the same
    decision. error: root mean square of the differences over the spread of the model's outputs.
    """

    name: str
    judged: bool
    vectors: int
    equal: int
    largest: float | None
    rms: float | None
    largest_lsb: float | None
    rms_lsb: float | None
    spread: float | None
    error: float | None
    agree: int | None


class Accuracy(Section):
    """Share of labelled events that each decides rightly."""

    events: int
    source: float
    csim: float


class HlsReport(Section):
    """The whole of report.json. passed: there are verdicts, and every one passed.

    decision: what counts as one, in words.
    """

    schema_version: Literal["hls-only/1"] = Field(default="hls-only/1", alias="schema")
    passed: bool
    model: Model
    project: ProjectSection
    decision: str
    closeness: tuple[CloseRow, ...]
    accuracy: Accuracy | None
    rtl: None = None
    latency: None = None
    resources: None = None
    segments: tuple[Segment, ...]
    timing_s: dict[str, float | None]
    versions: dict[str, str]
    verdicts: tuple[VerdictRow, ...]
    provenance: Provenance

    @model_validator(mode="after")
    def _passed_follows_the_verdicts(self) -> HlsReport:
        require_follows(self.passed, self.verdicts)
        return self

    @property
    def judged(self) -> CloseRow | None:
        """The comparison that the verdicts are about."""
        return next((row for row in self.closeness if row.judged), None)

    def to_text(self) -> str:
        """Contents of report.json."""
        data = self.model_dump(mode="json", by_alias=True)
        return json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def is_hls_only(build: Path) -> bool:
    """Whether a folder, or a report, is of a build without RTL. Never raises."""
    return _read(build).get("schema") == HLS_SCHEMA


def load_hls_report(path: Path) -> HlsReport:
    """Read such a report: the file, or the build folder. Raises BuildError."""
    file = _file(path)
    try:
        return HlsReport.model_validate(_read(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "report"
        raise BuildError(
            f"{file}: {key}: {first['msg']} ({error.error_count()} such); "
            "the file was altered, compile the model again"
        ) from error


def _file(path: Path) -> Path:
    return path / FILE_NAME if path.is_dir() else path


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_file(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
