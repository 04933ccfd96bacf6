"""report.json, schema version 1: every figure of a compilation, with its unit in its key.

A figure that was not measured is null, never 0, and a verdict that did not pass says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from trigger_ml.errors import BuildError
from trigger_ml.report.hls_estimate import HlsEstimateSection
from trigger_ml.report.sections import (
    Device,
    Fidelity,
    Latency,
    Layer,
    Model,
    Physics,
    Pipeline,
    Provenance,
    ResourceSection,
    Section,
    TargetSection,
    VerdictRow,
    require_follows,
)
from trigger_ml.report.trace_sections import Source

__all__ = ["FILE_NAME", "HLS_SCHEMA", "SCHEMA", "Report", "load_report"]

SCHEMA: Final = 1
FILE_NAME: Final = "report.json"
HLS_SCHEMA: Final = "hls-only/1"
"""Of reports of builds without RTL; :mod:`trigger_ml.report.hls_only` reads those."""


class Report(Section):
    """The whole of report.json. passed: there are verdicts, and every one passed. sources: where
    each figure is from; empty in reports of before there were any. hls_estimate: of the HLS
    project, by rules of thumb; no other section has its figures.
    """

    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")
    passed: bool
    model: Model
    target: TargetSection
    fidelity: Fidelity
    latency: Latency
    resources: ResourceSection
    physics: Physics | None
    timing_s: dict[str, float | None]
    versions: dict[str, str]
    verdicts: tuple[VerdictRow, ...]
    pipeline: Pipeline
    device: Device | None
    layers: tuple[Layer, ...]
    provenance: Provenance
    sources: tuple[Source, ...] = ()
    hls_estimate: HlsEstimateSection | None = None

    @model_validator(mode="after")
    def _passed_follows_the_verdicts(self) -> Report:
        require_follows(self.passed, self.verdicts)
        return self

    @property
    def failures(self) -> tuple[VerdictRow, ...]:
        """The verdicts that did not pass."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return self.model_dump(mode="json", by_alias=True)

    def to_text(self) -> str:
        """Contents of report.json."""
        return json.dumps(self.to_json(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: Any) -> Report:
        """Inverse of :meth:`to_json`. Raises pydantic's ValidationError."""
        return cls.model_validate(data)


def load_report(path: Path) -> Report:
    """Read a report: the file, or the build folder that holds it.

    Raises BuildError when there is none, when it is not one, and for another schema version.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BuildError(
            f"{file}: there is no report here; run trigger-ml compile first, "
            "or give the folder that it wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise BuildError(f"{file}: cannot be read as JSON: {error}") from error
    version = data.get("schema") if isinstance(data, dict) else None
    if version == HLS_SCHEMA:
        raise BuildError(
            f"{file}: this build was made with --hls-only: it has hls4ml's project and no RTL, "
            "latency or resources; look at it with trigger-ml report and trigger-ml check"
        )
    if version != SCHEMA:
        raise BuildError(
            f"{file}: this is report schema {version}, this version of trigger_ml reads "
            f"{SCHEMA}; compile the model again"
        )
    try:
        return Report.from_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "report"
        raise BuildError(
            f"{file}: {key}: {first['msg']} ({error.error_count()} such); "
            "the file was altered, compile the model again"
        ) from error
