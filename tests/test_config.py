"""The configuration file and its messages."""

from pathlib import Path

import pytest

from trigger_ml.config import OutputKind, load_config, parse_clock
from trigger_ml.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "mhz"),
    [
        ("360", 360.0),
        ("360MHz", 360.0),
        ("0.24 GHz", 240.0),
        ("2.5ns", 400.0),
        ("3125ps", 320.0),
        ("2.7777777777777777 ns", 360.0),
    ],
)
def test_a_clock_is_a_frequency_or_a_period(text: str, mhz: float) -> None:
    assert parse_clock(text) == pytest.approx(mhz, rel=1e-12)


@pytest.mark.parametrize("text", ["0", "0ns", "-5", "fast", "", "1.2.3", "nan", "inf", "360 Hz"])
def test_what_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a clock"):
        parse_clock(text)


def test_flags_go_on_top_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "l1.yaml"
    path.write_text("target: {clock_mhz: 240}\nfirmware: {output: argmax}\n")
    config = load_config(path, {"target.clock_mhz": 320.0, "target.part": None})
    assert (config.target.clock_mhz, config.firmware.output) == (320.0, OutputKind.ARGMAX)


def test_every_wrong_key_is_named_with_its_neighbour(tmp_path: Path) -> None:
    path = tmp_path / "l1.yaml"
    path.write_text("target: {clok_mhz: 240, part: VU13P}\nbudget: {latency_ns: -1}\nfirmwre: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    text = str(caught.value)
    assert "target.clok_mhz: there is no such key\n    -> did you mean clock_mhz?" in text
    assert "budget.latency_ns: Input should be greater than 0, found -1" in text
    assert "firmwre: there is no such key\n    -> did you mean firmware?" in text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- 1\n", "must hold sections"),
        ("a: [", "is not YAML"),
        ("target: 3\n", "target"),
        ("firmware: {input_type: 'fixed<99,1>'}", "a width must be 1 to 62 bits"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "l1.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=what):
        load_config(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("bits", [-1, 9, 2.5])
def test_flags_are_up_to_8_bits(bits: float) -> None:
    with pytest.raises(ConfigError, match=r"firmware\.flag_bits"):
        load_config(None, {"firmware.flag_bits": bits})
    assert load_config(None).firmware.flag_bits == 0
