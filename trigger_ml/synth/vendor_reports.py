"""Finding the reports of vendor tools below a folder, and making one count of many files.

A file is told by its content, never by its name. Where several reports give one quantity, the one
of the further state is taken (routed before placed before synthesized before the estimate of C
synthesis) and all of them stay in the details with their files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import Resources, Synthesis
from trigger_ml.errors import BlockedError, Blocker, DataError
from trigger_ml.synth.devices import Device
from trigger_ml.synth.vendor_text import Kind, State, VendorReport
from trigger_ml.synth.vendor_vitis import read_cosim, read_csynth, read_csynth_text
from trigger_ml.synth.vendor_vivado import read_hierarchy, read_timing, read_utilization

__all__ = ["combine", "find_reports", "read_report"]

Reader = Callable[[Path], VendorReport]

HEAD: Final = 8192
"""Bytes of a file that tell its kind."""
LARGEST: Final = 64 << 20
"""Bytes of the largest report; checkpoints and waveforms are larger."""
WANTED: Final = (
    "reports of report_utilization or report_timing_summary (Vivado), *_csynth.xml or "
    "*_cosim.rpt (Vitis HLS)"
)
TITLES: Final[tuple[tuple[re.Pattern[str], Reader], ...]] = tuple(
    (re.compile(text, re.MULTILINE | re.DOTALL), reader)
    for text, reader in (
        (r"^\s*== (Vivado|Vitis) HLS Report for '", read_csynth_text),
        (r"^Simulation tool\s*:.*\bRTL\b.*\bStatus\b", read_cosim),
        (r"^\| Tool Version.*^Timing Summary Report\s*$", read_timing),
        (r"^\| Tool Version.*^\d+\. Utilization by Hierarchy\s*$", read_hierarchy),
        (r"^\| Tool Version.*^Utilization Design Information\s*$", read_utilization),
    )
)
"""Lines that open a report. Scripts and logs name reports too, but not on lines of their own."""
NAMES: Final = ("csynth", "cosim", "util", "timing", "vivado_synth")
"""An empty file so named is a report that was not written to its end."""
PERIOD_ROUNDING_NS: Final = 0.0015
"""Vivado takes and prints periods in whole ps: 360 MHz is asked as 2.778 ns."""


def read_report(path: Path) -> VendorReport | None:
    """What one file reports; None for a file of any other kind.

    Raises DataError for a report that is empty, cut off or has none of the figures it is for.
    """
    reader = _reader(path)
    return None if reader is None else reader(path)


def _reader(path: Path) -> Reader | None:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", errors="replace")
    except OSError as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error.strerror}")) from error
    if not head.strip():
        return _by_name(path)
    if "<profile>" in head and ("<UserAssignments>" in head or path.name.endswith("csynth.xml")):
        return read_csynth
    for title, reader in TITLES:
        if title.search(head):
            return reader
    return None


def _by_name(path: Path) -> Reader | None:
    if path.suffix not in (".rpt", ".xml") or not any(name in path.name for name in NAMES):
        return None
    if path.suffix == ".xml":
        return read_csynth
    if "cosim" in path.name:
        return read_cosim
    return read_timing if "timing" in path.name else read_utilization


def find_reports(root: Path) -> tuple[VendorReport, ...]:
    """Every report below a folder, or the one that a file is, in order of their paths.

    Hidden folders are left out: HLS keeps its data base there. The text of a C synthesis is
    read only where no XML is there.
    Raises DataError naming every broken report, and when there is none.
    """
    if not root.exists():
        raise DataError(Blocker(str(root), "there is no such folder or file"))
    blockers: list[Blocker] = []
    found: list[VendorReport] = []
    readers = [(path, reader) for path in _files(root) if (reader := _reader(path)) is not None]
    if any(reader is read_csynth for _, reader in readers):
        readers = [item for item in readers if item[1] is not read_csynth_text]
    for path, reader in readers:
        try:
            found.append(reader(path))
        except BlockedError as error:
            blockers += error.blockers
    if blockers:
        raise DataError(blockers)
    if not found:
        raise DataError(Blocker(str(root), f"holds no report; looked for {WANTED}"))
    return tuple(found)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.stat().st_size <= LARGEST:
            yield path


def combine(
    reports: Sequence[VendorReport], root: Path, design: str, device: Device, clock_mhz: float
) -> tuple[Synthesis, ...]:
    """One Synthesis of the RTL ("vivado") and one of the HLS project ("vitis"), as there are.

    Vivado's reports from inside an HLS project are of what HLS made of it, and go to "vitis".
    root: what the files are named relative to. design: the top that was to be synthesized.
    Raises DataError for reports of another design or part, and for two that disagree.
    """
    kept = _of_design(reports, design, root)
    wrong = [
        Blocker(
            _name(item.file, root),
            f"is for {item.part}, and this build is for a {device.name}",
            "synthesize for the build's part, or compile for that one (--part)",
        )
        for item in kept
        if item.part is not None and not _same_part(item.part, device)
    ]
    if wrong:
        raise DataError(wrong)
    groups: dict[str, list[VendorReport]] = {"vivado": [], "vitis": []}
    for item in kept:
        hls = item.kind in (Kind.CSYNTH, Kind.COSIM) or _in_hls_project(item.file, root)
        groups["vitis" if hls else "vivado"].append(item)
    return tuple(
        _synthesis(origin, items, root, clock_mhz) for origin, items in groups.items() if items
    )


def _name(path: Path, root: Path) -> str:
    return path.name if path == root else path.relative_to(root).as_posix()


def _of_design(reports: Sequence[VendorReport], design: str, root: Path) -> list[VendorReport]:
    """Those of the top; others are of modules in it."""
    kept = [item for item in reports if item.design is None or item.design == design]
    if any(item.design is not None or item.kind is Kind.COSIM for item in kept):
        return kept
    others = sorted({item.design for item in reports if item.design is not None})
    what = f"reports on {', '.join(others)}, and the top of this build is {design}"
    raise DataError(Blocker(str(root), what, "name the one to take with --design"))


def _same_part(part: str, device: Device) -> bool:
    """Whether a tool's spelling is of a device: it may leave out "xc" and the hyphen."""
    text = part.lower()
    return any(spelled.startswith(device.parts) for spelled in (text, f"xc{text}"))


def _in_hls_project(path: Path, root: Path) -> bool:
    folder = path.parent
    while True:
        if (folder / "build_prj.tcl").exists() or (folder / "syn" / "report").is_dir():
            return True
        if folder == root or folder == folder.parent or not folder.is_relative_to(root):
            return False
        folder = folder.parent


def _synthesis(
    origin: str, reports: Sequence[VendorReport], root: Path, clock_mhz: float
) -> Synthesis:
    """The furthest figure of every quantity, and where it came from."""
    counting = _ordered(item for item in reports if item.resources is not None)
    timing = _ordered(item for item in reports if item.kind is Kind.TIMING)
    _require_agreement(counting, root)
    details: dict[str, Any] = {}
    files: dict[str, str] = {}
    counts: dict[str, float | None] = {}
    if counting:
        # A flat report and one by hierarchy of the same state complete each other.
        for item in (i for i in counting if i.state == counting[0].state):
            assert item.resources is not None
            for key, value in item.resources.to_json().items():
                if value is not None and counts.get(key) is None:
                    counts[key], files[key] = value, _name(item.file, root)
    for item in (*timing, *counting, *(i for i in reports if i.kind is Kind.COSIM)):
        for key, figure in item.figures.items():
            if figure is not None and key not in details:
                details[key], files[key] = figure, _name(item.file, root)
    by_layer: Mapping[str, Resources] = next((i.by_layer for i in counting if i.by_layer), {})
    first = next(iter((*counting, *timing, *reports)))
    details |= {
        "tool": first.tool,
        "implementation": "hls" if origin == "vitis" else "rtl",
        "design": first.design,
        "part": first.part,
        "state": _word(counting),
        "timing_state": _word(timing),
        "slack_ns": _slack(timing, clock_mhz),
        "files": files,
        "reports": [_listed(item, root) for item in reports],
        "by_layer": {name: item.to_json() for name, item in by_layer.items()},
    }
    return Synthesis(origin, first.version, Resources(**counts), by_layer, details)


def _ordered(reports: Iterable[VendorReport]) -> list[VendorReport]:
    """The furthest state first; of one state, a flat report before one by hierarchy."""
    return sorted(
        reports,
        key=lambda item: (-1 if item.state is None else item.state, item.kind is Kind.UTILIZATION),
        reverse=True,
    )


def _require_agreement(counting: Sequence[VendorReport], root: Path) -> None:
    """Two reports of one kind and state must count alike. Raises DataError when they do not."""
    first: dict[tuple[Kind, State | None], VendorReport] = {}
    for item in counting:
        other = first.setdefault((item.kind, item.state), item)
        assert item.resources is not None and other.resources is not None
        if item.resources.lut != other.resources.lut:
            word = item.state.word if item.state is not None else "of no stated state"
            what = (
                f"counts {item.resources.lut:,.0f} LUT, and {_name(other.file, root)} "
                f"{other.resources.lut:,.0f}; both are {word}"
            )
            fix = "give the folder of one run"
            raise DataError(Blocker(_name(item.file, root), what, fix))


def _word(reports: Sequence[VendorReport]) -> str | None:
    return reports[0].state.word if reports and reports[0].state is not None else None


def _slack(timing: Sequence[VendorReport], clock_mhz: float) -> float | None:
    """Worst setup slack [ns] at the target clock, whatever clock the tool was asked for."""
    if not timing:
        return None
    found, period = timing[0].figures["wns_ns"], timing[0].figures["clock_period_ns"]
    if not isinstance(found, float) or not isinstance(period, float):
        return None
    target = 1e3 / clock_mhz
    return found if abs(target - period) < PERIOD_ROUNDING_NS else found + target - period


def _listed(item: VendorReport, root: Path) -> dict[str, Any]:
    counts = item.resources.to_json() if item.resources else {}
    return {
        "file": _name(item.file, root),
        "kind": item.kind.value,
        "tool": f"{item.tool} {item.version}",
        "state": item.state.word if item.state is not None else None,
        "figures": {key: v for key, v in {**counts, **item.figures}.items() if v is not None},
    }
