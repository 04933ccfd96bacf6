"""Place and route of a finished build on an open family, kept beside its report.

``route.json`` is the build's own: another compilation replaces it with the rest. Neither the lock
nor a verdict knows of it, since the family is not the target's.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import RtlProject
from trigger_ml.errors import BuildError
from trigger_ml.files import write_text
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.simulate.bench import read_bench
from trigger_ml.synth.nextpnr import PART, Critical, Routed, find_router, route
from trigger_ml.synth.stream import kernel_project
from trigger_ml.synth.yosys_engine import find_engine

__all__ = ["FILE_NAME", "Routing", "load_routing", "route_build"]

FILE_NAME: Final = "route.json"
SCHEMA: Final = 1
NOTE: Final = "ECP5, not UltraScale+"


@dataclass(frozen=True, slots=True)
class Routing:
    """A build after place and route on an ECP5.

    router: the tool and its version. seed: of the placement. asked_mhz: the clock that it aimed
    at. parts: the top of a pipeline; of a stream of columns, its kernels, each by itself.
    """

    router: str
    seed: int
    asked_mhz: float
    parts: tuple[Routed, ...]

    @property
    def slowest(self) -> Routed:
        """The part that limits the clock."""
        return min(self.parts, key=lambda part: part.fmax_mhz)

    def to_json(self) -> dict[str, Any]:
        """As in ``route.json``."""
        return {
            "schema": SCHEMA,
            "note": NOTE,
            "part": PART,
            "router": self.router,
            "seed": self.seed,
            "asked_mhz": self.asked_mhz,
            "fmax_mhz": self.slowest.fmax_mhz,
            "parts": [asdict(part) for part in self.parts],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Routing:
        """Raises KeyError, TypeError or ValueError for what to_json did not write."""
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}")
        parts = tuple(
            Routed(**{**part, "critical": Critical(**part["critical"])}) for part in data["parts"]
        )
        return cls(data["router"], data["seed"], data["asked_mhz"], parts)

    def text(self) -> str:
        """In a line."""
        slow = self.slowest
        path = slow.critical
        where = f" in {slow.name}, the slowest of {len(self.parts)} kernels"
        return (
            f"{NOTE}: {slow.fmax_mhz:.1f} MHz{where if len(self.parts) > 1 else ''} after place "
            f"and route by nextpnr; {path.logic_ns:.2f} ns logic and {path.routing_ns:.2f} ns "
            f"routing on the slowest path"
        )


def route_build(
    build: Path,
    *,
    seed: int = 1,
    clock_mhz: float | None = None,
    timeout_s: float | None = None,
    listener: Listener | None = None,
) -> Routing:
    """Place and route the RTL of a build, and write ``route.json`` into it.

    Of a stream of columns each kernel is routed by itself, without the windows around it.
    seed: of the placement. clock_mhz: what is aimed at; the build's own clock when None.
    Raises BuildError for a folder that is not a build, ToolMissingError without nextpnr or yosys,
    ModelError for a design that is larger than the part, and ToolFailedError; ``route.json`` is
    then as it was.
    """
    project = read_bench(build.resolve() / "rtl" / "verilog").project
    engine, router = find_engine(), find_router()
    asked = clock_mhz or project.clock_mhz
    clock = Stopwatch(listener or Quiet())
    found = []
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as scratch:
        for part in _parts(project):
            with clock.stage(
                f"route_{part.top}", f"place and route on an ECP5: {part.top}"
            ) as stage:
                routed = route(
                    part,
                    work=Path(scratch) / part.top,
                    engine=engine,
                    router=router,
                    clock_mhz=asked,
                    seed=seed,
                    timeout_s=timeout_s,
                )
                stage.note = f"{routed.fmax_mhz:.1f} MHz, {routed.lut4:,} LUT4"
            found.append(routed)
    routing = Routing(router.name, seed, asked, tuple(found))
    write_text(build / FILE_NAME, json.dumps(routing.to_json(), indent=1))
    return routing


def load_routing(build: Path) -> Routing | None:
    """What ``route.json`` of a build says; None where there is none.

    Raises BuildError for one that cannot be read.
    """
    path = build / FILE_NAME
    try:
        return Routing.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            f"{path} cannot be read: {error!r}; run trigger-ml route {build} again"
        ) from error


def _parts(project: RtlProject) -> list[RtlProject]:
    if project.stream is None:
        return [project]
    return [kernel_project(project, name) for name in project.stream.kernels]
