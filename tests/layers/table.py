"""Compile every case and write docs/layers.md: ``python -m tests.layers.table [FOLDER]``.

In a FOLDER that is given, what was compiled before stays, and is not compiled again.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from tests.layers.compiled import EVENTS, Found, all_cases, build_models, compile_case

PAGE: Final = Path(__file__).parents[2] / "docs" / "layers.md"
HEAD: Final = f"""# Layers

What `trigger-ml compile` takes, by front end. Written by `make layers`, which compiled every row
with {EVENTS:,} draws over the whole input type (and the corners of the types) in every witness:
the source model in its own framework, the C simulation of the hls4ml project, and the RTL under
cocotb, each compared with the integer graph, event by event.

"""


def row(found: Found) -> str:
    """One line of the table."""
    counts = (
        f"{found.mismatches[name]:,} of {found.events[name]:,}"
        for name in ("source", "csim", "rtl")
    )
    name = found.case.name.replace("|", "\\|")
    return f"| {name} | {' | '.join(counts)} | {found.lut:,.0f} | {found.clocks} |"


def page(results: list[Found]) -> str:
    """The whole page."""
    text = [HEAD]
    for kind in sorted({found.case.kind for found in results}):
        text.append(f"## {kind}\n\n")
        text.append("| layer | source differs | C simulation | RTL | LUT (cost model) | clocks |\n")
        text.append("|---|---|---|---|---|---|\n")
        rows = (row(found) for found in results if found.case.kind == kind)
        text.append("\n".join(rows) + "\n\n")
    return "".join(text).rstrip() + "\n"


def _compile(place: int, folder: Path) -> None:
    compile_case(all_cases()[place], folder)


def main(folder: Path) -> int:
    """Write the page. Returns how many rows are not exact."""
    folder.mkdir(parents=True, exist_ok=True)
    build_models(folder)
    chosen = all_cases()
    with ProcessPoolExecutor(2) as pool:
        # Builders cannot be sent to a process, so a case goes there by its place.
        for _ in pool.map(partial(_compile, folder=folder), range(len(chosen))):
            pass
    results = [compile_case(case, folder) for case in chosen]
    PAGE.write_text(page(results), encoding="utf-8")
    return sum(not found.exact for found in results)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory(prefix="trigger-ml-layers.") as name:
        sys.exit(main(Path(name)))
