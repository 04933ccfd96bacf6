"""A small design, written by hand, whose every figure is known, and ways to break it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.lower.packing import Element
from trigger_ml.lower.wrapper import Core, write_wrapper

CORE: Final = Core(
    name="tiny_core",
    latency_cycles=3,
    inputs=(
        Element(True, 3, 0),
        Element(False, 2, 1),
        Element(False, 0, 0),
        Element(True, 4, -2),
    ),
    outputs=(
        Element(True, 4, 1),
        Element(False, 2, 1),
        Element(True, 3, -1),
        Element(True, 4, -2),
    ),
)

INPUT_TYPES: Final = (
    FixedType(5, 4),  # one fraction bit that the core does not read
    FixedType(3, 2, signed=False),
    FixedType(3, 3),  # dead
    FixedType(3, 5),  # negative fraction
)

OUTPUT_TYPES: Final = (
    FixedType(9, 6),  # extended and padded
    FixedType(8, 4),  # unsigned into signed
    FixedType(4, 5),  # negative fraction
    FixedType(8, 6),  # padded by four bits
)

VERILOG: Final = """\
module tiny_core (
    input wire clk,
    input wire [9:0] model_inp,
    output reg [14:0] model_out
);
    reg [9:0] first;
    reg [14:0] second;
    wire signed [3:0] a = first[3:0];
    wire [2:0] b = first[6:4];
    wire signed [5:0] sum = $signed({a[3], a, 1'b0}) + $signed({3'b0, b});
    always @(posedge clk) begin
        first <= model_inp;
        second <= {first[9:7], a[3:1], b, sum};
        model_out <= second;
    end
endmodule
"""

VHDL: Final = """\
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity tiny_core is
    port (
        clk       : in  std_logic;
        model_inp : in  std_logic_vector(9 downto 0);
        model_out : out std_logic_vector(14 downto 0)
    );
end entity tiny_core;

architecture rtl of tiny_core is
    signal first  : std_logic_vector(9 downto 0);
    signal second : std_logic_vector(14 downto 0);
    signal sum    : std_logic_vector(5 downto 0);
begin
    sum <= std_logic_vector(resize(signed(first(3 downto 0)) & '0', 6)
                            + signed(resize(unsigned(first(6 downto 4)), 6)));
    process (clk) is
    begin
        if rising_edge(clk) then
            first <= model_inp;
            second <= first(9 downto 7) & first(3 downto 1) & first(6 downto 4) & sum;
            model_out <= second;
        end if;
    end process;
end architecture rtl;
"""


def events(count: int, seed: int = 0) -> Codes:
    """Random codes of the input types, shape (count, 4)."""
    random = np.random.default_rng(seed)
    low = [kind.min_code for kind in INPUT_TYPES]
    high = [kind.max_code + 1 for kind in INPUT_TYPES]
    return random.integers(low, high, (count, len(low)), dtype=np.int64)


def answers(codes: Codes) -> Codes:
    """What the design computes, in codes of the output types."""
    a, b, _, d = codes.T
    a = a >> 1
    return np.stack([(2 * a + b) << 2, b << 3, a >> 1, d << 4], axis=1)


def project(
    folder: Path, hdl: Hdl = Hdl.VERILOG, replace: tuple[str, str] = ("", "")
) -> RtlProject:
    """The design on disk. replace: a text and what stands in its place, in any of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    name, text = ("tiny_core.v", VERILOG) if hdl is Hdl.VERILOG else ("tiny_core.vhd", VHDL)
    files = {name: text, **write_wrapper("tiny", CORE, INPUT_TYPES, OUTPUT_TYPES, hdl)}
    if replace[0]:
        assert any(replace[0] in content for content in files.values()), replace[0]
        files = {key: content.replace(*replace) for key, content in files.items()}
    for key, content in files.items():
        (folder / key).write_text(content, encoding="utf-8")
    sources = tuple(folder / key for key in files)
    return RtlProject(folder, hdl, "tiny", "tiny_core", sources, 3, 14, 29, 360.0)
