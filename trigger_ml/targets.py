"""Presets of a target: part, clock and budget of a place in a trigger, for ``target.preset``.

What is published, and where:

- CMS Phase-2: a crossing every 25 ns, 12.5 us from collision to decision (CMS-TDR-021; PoS 450,
  113 (LHCP 2023)). The Global Trigger's boards carry a VU13P (CMSSW, ``l1tGTBoardWriter``).
- CMS Phase-2 correlator, layer 2: UltraScale+ boards that share out the events, 6.7 million a
  second each, one every 6 crossings = 150 ns; jets are found in less than 1 us (EPJ Web Conf.
  295, 02024 (2024)).
- ATLAS Phase-II: a single hardware level, level 0, with 10 us and 1 MHz (ATLAS-TDR-029). The
  endcap muon boards carry an XCVU13P (PoS 397, 180 (LHCP 2021)). A network of the barrel takes
  122 ns (arXiv:2201.06288).

The clocks are those that firmware groups use: 360 MHz, nine to a crossing (CMS; 240 and 480 MHz are
used too), and 320 MHz, eight to a crossing (ATLAS muons).

No experiment has published what it grants one network. These defaults are ours, for want of that:
``latency_ns`` (four crossings; one period of the correlator; five crossings, which the published
muon network just meets) and the LUTs (one super logic region of the part, so that nothing has to
cross between dice). Any key of the user's own wins over them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.synth.devices import find_device

__all__ = ["PRESETS", "Preset", "with_preset"]

CROSSING_NS: Final = 25.0
"""LHC bunch spacing."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A place in a trigger.

    crossings: from one event to the next on one board (the time multiplexing period).
    latency_ns: of the network alone. slrs: super logic regions whose LUTs it may take.
    """

    part: str
    clock_mhz: float
    crossings: int
    latency_ns: float
    slrs: float = 1.0

    def sections(self, part: str | None = None) -> dict[str, dict[str, Any]]:
        """Keys of a configuration. part: one that replaces the preset's.

        Raises ConfigError for a part that is not known.
        """
        part = part or self.part
        return {
            "target": {"part": part, "clock_mhz": self.clock_mhz},
            "budget": {
                "latency_ns": self.latency_ns,
                "ii_ns": self.crossings * CROSSING_NS,
                "lut_share": min(self.slrs / find_device(part).slrs, 1.0),
            },
        }


PRESETS: Final[Mapping[str, Preset]] = {
    "cms-l1": Preset("xcvu13p-flga2577-2-e", 360.0, crossings=1, latency_ns=100.0),
    "cms-l1-correlator": Preset("xcvu13p-flga2577-2-e", 360.0, crossings=6, latency_ns=150.0),
    "atlas-l0": Preset("xcvu13p-flga2577-2-e", 320.0, crossings=1, latency_ns=125.0),
}


def with_preset(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A configuration's plain data with what ``target.preset`` stands for under it.

    where: what messages call the data. Raises ConfigError for an unknown preset, naming the
    nearest one, and for a part that is not known.
    """
    found = dict(data)
    target = found.get("target")
    name = target.get("preset") if isinstance(target, dict) else None
    if name is None or not isinstance(target, dict):
        return found
    if name not in PRESETS:
        near = difflib.get_close_matches(str(name).lower(), PRESETS, n=1, cutoff=0.4)
        known = ", ".join(PRESETS)
        fix = f"did you mean {near[0]}? The presets are {known}" if near else f"one of {known}"
        raise ConfigError(Blocker(f"{where}: target.preset", f"there is no preset {name!r}", fix))
    part = target.get("part")
    sections = PRESETS[name].sections(part if isinstance(part, str) else None)
    for section, values in sections.items():
        given = found.get(section)
        if given is None or isinstance(given, dict):
            found[section] = {**values, **(given or {})}
    return found
