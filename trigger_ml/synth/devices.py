"""Parts found on trigger boards, their totals, and what share of one a design takes.

The totals are those of the AMD product tables: DS890 (UltraScale and UltraScale+ FPGAs), DS891
(Zynq UltraScale+) and DS180 (7 series). ``source`` names the table and what a figure was checked
against: the "Available" column of public Vivado reports, published board tables, or a part made
of the same dice. A part whose totals could not be checked so is left out (VU5P, for one).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from trigger_ml.artifacts import Resources
from trigger_ml.errors import Blocker, ConfigError

__all__ = ["DEVICES", "Device", "find_device", "share"]

LUT_PER_CARRY8: Final = 8
"""A CLB has 8 LUTs and one CARRY8 (UG574); in the 7 series two slices of 4 LUTs and one CARRY4
each hold as much (UG474)."""


@dataclass(frozen=True, slots=True)
class Device:
    """One part. parts: what its order codes start with, in lower case.

    lut, ff, dsp, uram: number of them; bram36: block RAMs of 36 Kb. slrs: super logic regions
    (dice); all those of one part are alike. source: where the totals are from.
    """

    name: str
    parts: tuple[str, ...]
    lut: int
    ff: int
    dsp: int
    bram36: int
    uram: int
    slrs: int
    family: str
    source: str

    @property
    def total(self) -> Resources:
        """Everything on the part."""
        carry8 = self.lut // LUT_PER_CARRY8
        return Resources(lut=self.lut, ff=self.ff, dsp=self.dsp, bram36=self.bram36, carry8=carry8)

    @property
    def slr(self) -> Resources:
        """One super logic region: what a design has that does not cross between dice."""
        whole = self.total.to_json()
        return Resources(**{key: value / self.slrs for key, value in whole.items() if value})


def _device(
    name: str,
    parts: str,
    totals: tuple[int, int, int, int, int],
    slrs: int,
    family: str,
    source: str,
) -> Device:
    """parts: separated by spaces. totals: LUT, FF, DSP, BRAM36, URAM."""
    return Device(name, tuple(parts.split()), *totals, slrs=slrs, family=family, source=source)


_VUP: Final = "Virtex UltraScale+"
_ZUP: Final = "Zynq UltraScale+"
_DS890: Final = "AMD DS890, UltraScale Architecture and Product Data Sheet: Overview"
_DS891: Final = "AMD DS891, Zynq UltraScale+ MPSoC Data Sheet: Overview"
_DS180: Final = "AMD DS180, 7 Series FPGAs Data Sheet: Overview"
_REPORT: Final = "checked against the Available column of a public Vivado report"

DEVICES: Final[tuple[Device, ...]] = (
    _device(
        "VU13P",
        "xcvu13p xqvu13p xcu250",
        (1_728_000, 3_456_000, 12_288, 2_688, 1_280),
        4,
        _VUP,
        f"{_DS890}; checked against published tables of the Alveo U250, which is the same die",
    ),
    _device(
        "VU11P",
        "xcvu11p xqvu11p",
        (1_296_000, 2_592_000, 9_216, 2_016, 960),
        3,
        _VUP,
        f"{_DS890}; checked: three of the VU13P's four SLRs",
    ),
    _device(
        "VU9P",
        "xcvu9p xqvu9p xcu200",
        (1_182_240, 2_364_480, 6_840, 2_160, 960),
        3,
        _VUP,
        f"{_DS890}; {_REPORT}",
    ),
    _device(
        "VU7P",
        "xcvu7p xqvu7p",
        (788_160, 1_576_320, 4_560, 1_440, 640),
        2,
        _VUP,
        f"{_DS890}; checked: two of the VU9P's three SLRs",
    ),
    _device(
        "VU3P",
        "xcvu3p xqvu3p",
        (394_080, 788_160, 2_280, 720, 320),
        1,
        _VUP,
        f"{_DS890}; checked: one of the VU9P's three SLRs",
    ),
    _device(
        "KU15P",
        "xcku15p xqku15p",
        (522_720, 1_045_440, 1_968, 984, 128),
        1,
        "Kintex UltraScale+",
        f"{_DS890}; {_REPORT}",
    ),
    _device(
        "KU115",
        "xcku115 xqku115",
        (663_360, 1_326_720, 5_520, 2_160, 0),
        2,
        "Kintex UltraScale",
        f"{_DS890}; no second source found",
    ),
    _device(
        "ZU19EG",
        "xczu19eg xqzu19eg",
        (522_720, 1_045_440, 1_968, 984, 128),
        1,
        _ZUP,
        f"{_DS891}; checked: the fabric of a KU15P",
    ),
    _device(
        "ZU7EV",
        "xczu7ev xqzu7ev xazu7ev",
        (230_400, 460_800, 1_728, 312, 96),
        1,
        _ZUP,
        f"{_DS891}; checked against published tables of the ZCU104",
    ),
    _device(
        "VX690T",
        "xc7vx690t xq7vx690t",
        (433_200, 866_400, 3_600, 1_470, 0),
        1,
        "Virtex-7",
        f"{_DS180}; checked against published tables of the VC709 (LUT and FF in thousands)",
    ),
)
"""The parts whose totals are known, by family, largest first."""

_PACKAGE: Final = re.compile(r"$|[-_]|[a-z]{2,3}\d{3,4}(-|$)")
"""What may follow the device in an order code: nothing, a separator, or (7 series) a package."""


def find_device(part: str) -> Device:
    """The device of a full part name ("xcvu13p-flga2577-2-e") or a device ("VU13P", "xcvu13p").

    Case does not matter. Raises ConfigError, naming the nearest known devices.
    """
    wanted = part.strip().lower()
    for device in DEVICES:
        if any(_matches(wanted, prefix) for prefix in _spellings(device)):
            return device
    core = re.sub(r"^x[cqa]", "", re.split(r"[-_]", wanted)[0])
    known = {spelling: device.name for device in DEVICES for spelling in _spellings(device)}
    near = difflib.get_close_matches(core, known, n=6, cutoff=0.6)
    names = list(dict.fromkeys(known[spelling] for spelling in near))[:3]
    listed = ", ".join(device.name for device in DEVICES)
    fix = f"did you mean {' or '.join(names)}? " if names else ""
    raise ConfigError(
        Blocker(
            "target.part",
            f"the totals of part {part!r} are not known",
            f"{fix}The known devices are {listed}; add one, with its data sheet, to "
            "trigger_ml/synth/devices.py",
        )
    )


def share(resources: Resources, device: Device, *, slr: bool = False) -> dict[str, float]:
    """What was counted over what there is, 0 to 1 and more: of the part, or of one SLR.

    Keys are those of Resources; one that was not counted is absent, never 0.
    """
    whole = (device.slr if slr else device.total).to_json()
    return {
        key: used / there
        for key, used in resources.to_json().items()
        if used is not None and (there := whole[key])
    }


def _spellings(device: Device) -> tuple[str, ...]:
    short = (prefix.removeprefix("xc") for prefix in device.parts if prefix.startswith("xc"))
    return (device.name.lower(), *device.parts, *short)


def _matches(wanted: str, spelling: str) -> bool:
    return wanted.startswith(spelling) and _PACKAGE.match(wanted, len(spelling)) is not None
