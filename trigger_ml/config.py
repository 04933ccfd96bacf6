"""The configuration of a compilation: what to build, for which part, and how hard to check it.

A YAML file holds any subset of the keys below; flags of the command line come on top. Unknown
keys are errors that name the nearest known one. All problems are reported at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.settings import FixedTypeText, check_settings, read_yaml, with_overrides
from trigger_ml.targets import with_preset

__all__ = [
    "Budget",
    "Config",
    "Firmware",
    "OutputKind",
    "Target",
    "Verify",
    "load_config",
    "parse_clock",
]

BUNCH_CROSSING_NS: Final = 25.0
"""LHC bunch spacing."""
IMAGE_COUNTS: Final = {
    "events": 2000,
    "csim_events": 200,
    "cosim_events": 1000,
    "random_events": 50,
    "cross_simulate": 0,
}
"""How much of what is checked by default for networks with convolutions on images of up to
CHAMBER_SIZE elements."""
CHAMBER_SIZE: Final = 8 * 384 * 6
"""Elements of an image of a muon chamber."""


class OutputKind(StrEnum):
    """What leaves the firmware of a classifier."""

    LOGITS = "logits"
    """The last layer before softmax or sigmoid: what a trigger compares. The default. A softmax
    that is quantized itself (HGQ2's QSoftmax) is that layer."""
    SOFTMAX = "softmax"
    """The activation itself, by tables."""
    ARGMAX = "argmax"
    """The index of the largest logit."""
    THRESHOLD = "threshold"
    """One bit for each logit: at or above firmware.threshold."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Target(_Section):
    """The part and its clock."""

    preset: str | None = None
    """A place in a trigger, such as cms-l1, whose part, clock and budget hold where a key of them
    is not given; see :mod:`trigger_ml.targets`."""
    part: str = "xcvu13p-flga2577-2-e"
    """Full part name, or a device such as VU13P."""
    clock_mhz: float = Field(default=360.0, gt=0, le=1500)
    """Frequency of the clock that the pipeline is cut for, in MHz."""


class Budget(_Section):
    """What the trigger grants. None means no limit."""

    latency_ns: float | None = Field(default=100.0, gt=0)
    """Longest time from input valid to output valid, in ns."""
    ii_ns: float | None = Field(default=BUNCH_CROSSING_NS, gt=0)
    """Longest time between two events, in ns; one bunch crossing by default."""
    lut_share: float | None = Field(default=None, gt=0, le=1)
    """Largest share of the part's LUTs, 0 to 1."""
    dsp_share: float | None = Field(default=None, ge=0, le=1)
    """Largest share of the part's DSPs, 0 to 1."""


class Firmware(_Section):
    """How the network becomes firmware."""

    backend: str = "Vitis"
    """hls4ml backend of the HLS project."""
    io_type: Literal["auto", "io_parallel", "io_stream"] = "auto"
    """hls4ml interface type; auto is io_stream for a model with convolutions that ends in an
    image and io_parallel for any other. Without RTL (rtl: false), io_stream is for any model with
    convolutions, and auto takes it where a flat pipeline would be too large."""
    output: OutputKind = OutputKind.LOGITS
    threshold: float = 0.0
    """Cut on each logit, for output: threshold."""
    input_type: FixedTypeText | None = None
    """Fixed-point type of the inputs, for a model without a quantizer on its input."""
    routing_margin: float = Field(default=1.5, ge=1.0, le=4.0)
    """Clock period over the longest estimated logic delay of a pipeline stage; the rest is for
    routing. 20 published networks whose longest stages were estimated at about 3.2 ns routed at
    2.6 to 4.9 ns (median 3.3), so 1.5 covers the worst of them; it is no timing closure."""
    adder_depth: int = Field(default=2, ge=-1)
    """Levels of adders that a constant matrix product may take beyond the fewest possible; -1 is
    any number. More let it share more sums, so it costs fewer LUTs; fewer can save a clock of
    latency."""
    columns_per_clock: int | None = Field(default=None, ge=1)
    """Columns of an image that a network with convolutions takes each clock; as many as
    budget.ii_ns needs when None."""
    flag_bits: int = Field(default=0, ge=0, le=8)
    """Bits of in_flags, which leave with their image as out_flags: what whoever made the image
    has to say of it, such as hits that were left out. For networks with convolutions."""
    softmax_bits: int = Field(default=10, ge=4, le=14)
    """Address width of the two softmax tables, for output: softmax."""
    fit: bool = False
    """Choose routing_margin, adder_depth and columns_per_clock for the budget, by the cost model;
    those of them that are given here stay as they are. A build holds what was chosen."""
    rtl: bool = True
    """Make RTL. Without it there is hls4ml's project alone, whose C simulation is held to
    verify.decision_agreement and verify.output_error; recurrent layers need it off."""
    float_bits: int = Field(default=18, ge=8, le=24)
    """Bits of what no quantizer gives a type, in a network with recurrent layers: weights, sums
    that leave a layer, states. Their integer bits are those that the values need."""
    table_bits: int = Field(default=12, ge=8, le=16)
    """Address bits of the tables of tanh and sigmoid, in a network with recurrent layers."""

    def streams(self, streamable: bool) -> bool:
        """Whether a network becomes a stream of columns; if not, it is one flat pipeline.

        streamable: it has a convolution and ends in an image.
        """
        return streamable and self.io_type != "io_parallel"

    def interface(self, streamable: bool) -> str:
        """hls4ml's interface type of a network that can be a stream of columns, or cannot."""
        if self.io_type == "auto":
            return "io_stream" if streamable else "io_parallel"
        return self.io_type


class Verify(_Section):
    """How much is checked."""

    events: int = Field(default=100_000, ge=1)
    """Events for source, graph and alkaid interpreter."""
    csim_events: int | None = Field(default=None, ge=1)
    """Events through the C simulation, on top of the corners. None means all."""
    cosim_events: int = Field(default=10_000, ge=1)
    """Events through the RTL, back to back."""
    simulator: Literal["verilator", "icarus", "ghdl"] = "verilator"
    random_events: int = Field(default=10_000, ge=0)
    """Draws over the whole input type, on top of the events."""
    seed: int = Field(default=1, ge=0)
    synthesis: bool = True
    """Run synthesis at all."""
    synth: Literal["yosys", "vivado", "vitis", "none"] = "yosys"
    """What counts the resources: open synthesis, or a vendor tool that is on PATH. vivado places
    and routes the RTL, vitis synthesizes the HLS project."""
    synth_cache: bool = True
    """Whether open synthesis takes what it found before for the same RTL, and keeps what it finds;
    the counts are the same either way."""
    synth_timeout_s: float | None = Field(default=8 * 3600.0, gt=0)
    """Wall time of a vendor tool, after which it has failed."""
    cross_simulate: int = Field(default=300, ge=0)
    """Vectors through a second simulator, and through the VHDL, where those are installed."""
    decision_agreement: float = Field(default=0.99, gt=0, le=1)
    """Share of vectors on which the C simulation decides as the model does, where there are
    classes; for firmware.rtl: false."""
    output_error: float = Field(default=0.05, gt=0)
    """Largest difference of the C simulation from the model, root mean square over the standard
    deviation of the model's outputs; for firmware.rtl: false."""

    @property
    def engine(self) -> str:
        """What runs: "yosys", "vivado", "vitis" or "none"."""
        return self.synth if self.synthesis else "none"

    def on_images(self, size: int) -> Verify:
        """The same for a network with convolutions: counts that nobody set come down.

        A C simulation of a muon chamber takes about 0.1 s an image on one core, and an image is
        thousands of codes in memory. size: elements of an image; of larger ones fewer are taken,
        so that the time stays the same.
        """
        share = min(CHAMBER_SIZE / size, 1.0)
        counts = {key: math.ceil(count * share) for key, count in IMAGE_COUNTS.items()}
        unset = {key: n for key, n in counts.items() if key not in self.model_fields_set}
        return self.model_copy(update=unset)


class Config(_Section):
    """The whole file."""

    target: Target = Target()
    budget: Budget = Budget()
    firmware: Firmware = Firmware()
    verify: Verify = Verify()

    def pixel_problems(self) -> list[Blocker]:
        """What a network that ends in an image cannot have as its decision."""
        if self.firmware.output not in (OutputKind.ARGMAX, OutputKind.SOFTMAX):
            return []
        what = (
            f"{self.firmware.output} decides between the classes of an event, and a network that "
            "ends in an image says something of each pixel"
        )
        fix = "use firmware.output: threshold (a mask) or logits"
        return [Blocker("firmware.output", what, fix)]

    def without_input_type(self) -> Config:
        """The same for a model that has been given a quantizer on its input."""
        firmware = self.firmware.model_copy(update={"input_type": None})
        return self.model_copy(update={"firmware": firmware})

    def require_streamable(self) -> None:
        """Refuse what a stream of columns cannot have, all of it at once.

        Raises ConfigError.
        """
        blockers = self.pixel_problems()
        if self.verify.simulator == "ghdl":
            blockers.append(
                Blocker(
                    "verify.simulator",
                    "ghdl reads VHDL, and a stream of columns is written in Verilog alone",
                    "use verify.simulator: verilator or icarus",
                )
            )
        if blockers:
            raise ConfigError(blockers)


def parse_clock(text: str) -> float:
    """Frequency in MHz from "360", "360MHz", "0.36 GHz" or a period such as "2.778ns".

    Raises ConfigError for anything else, and for zero.
    """
    match = re.fullmatch(
        r"\s*([0-9.]+(?:[eE][-+]?\d+)?)\s*(MHz|GHz|ns|ps)?\s*", text, re.IGNORECASE
    )
    try:
        value = float(match.group(1)) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value) or value <= 0:
        raise ConfigError(
            Blocker("--clock", f"{text!r} is not a clock", "write 360, 360MHz or 2.778ns")
        )
    match (match.group(2) or "MHz").lower():
        case "ghz":
            return value * 1e3
        case "ns":
            return 1e3 / value
        case "ps":
            return 1e6 / value
        case _:
            return value


def load_config(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a YAML file (or none) and put overrides, keyed "section.key", on top.

    An override of None is ignored; a preset is under both. Raises ConfigError listing every wrong
    key and value.
    """
    where = str(path) if path is not None else "configuration"
    data = with_overrides(read_yaml(Config, path) if path is not None else {}, overrides or {})
    return check_settings(Config, with_preset(data, where), where)
