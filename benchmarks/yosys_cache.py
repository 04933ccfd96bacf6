"""Open synthesis of builds: without a cache, with an empty one, and with a full one.

    python benchmarks/yosys_cache.py BUILD...

Prints wall and user time, the largest process, and the ratio of the times without and with what
was found before. Fails where the counts differ. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from trigger_ml.simulate.bench import read_bench
from trigger_ml.synth.stream import synthesize_stream
from trigger_ml.synth.yosys import synthesize
from trigger_ml.synth.yosys_cache import Cache

ROUNDS = ("no cache", "empty cache", "full cache")


@dataclass(frozen=True)
class Measured:
    """One synthesis. facts: all that must not depend on the cache. rss_mib: largest process."""

    facts: tuple[Any, ...]
    worst: dict[str, Any]
    wall_s: float
    user_s: float
    rss_mib: float


def measure(build: Path, work: Path, cache: Path | None) -> Measured:
    """Synthesize the RTL of a build."""
    project = read_bench(build.resolve() / "rtl" / "verilog").project
    started = time.perf_counter()
    count = synthesize_stream if project.stream else synthesize
    found = count(project, work=work, cache=Cache(cache) if cache else None)
    wall = time.perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF)
    tools = resource.getrusage(resource.RUSAGE_CHILDREN)
    keys = ("cells", "stage_levels", "stage_carry_bits", "stage_delays_ns", "wrapper")
    facts = (found.total, *(found.details[key] for key in keys))
    user = own.ru_utime + tools.ru_utime
    return Measured(facts, found.details["worst_stage"], wall, user, tools.ru_maxrss / 1024)


def apart(*arguments: Any) -> Measured:
    """The same in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def compare(build: Path) -> bool:
    """Measure a build and print; whether all counts are the same."""
    with tempfile.TemporaryDirectory(prefix="yosys_cache.") as folder:
        root = Path(folder)
        caches = (None, root / "cache", root / "cache")
        rounds = [apart(build, root / str(k), cache) for k, cache in enumerate(caches)]
    first, _, last = rounds
    total, worst = first.facts[0], first.worst
    print(f"{build}: {total.lut:,.0f} LUT, {total.ff:,.0f} FF, {total.carry8:,.1f} CARRY8")
    print(
        f"  slowest: {worst['name']}, {worst['levels']} levels, {worst['carry_bits']} carry bits, "
        f"{worst['delay_ns']:.2f} ns"
    )
    for name, item in zip(ROUNDS, rounds, strict=True):
        print(
            f"  {name:<12}{item.wall_s:>8.1f} s wall{item.user_s:>8.1f} s user"
            f"{item.rss_mib:>8.0f} MiB"
        )
    same = all(item.facts == first.facts for item in rounds)
    ratios = f"{first.wall_s / last.wall_s:.0f} wall, {first.user_s / last.user_s:.0f} user"
    print(f"  without / full: {ratios}; counts {'the same' if same else 'DIFFER'}")
    return same


def main() -> None:
    """Measure every build that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("builds", type=Path, nargs="+", metavar="BUILD")
    builds = parser.parse_args().builds
    sys.exit(0 if all([compare(build) for build in builds]) else 1)


if __name__ == "__main__":
    main()
