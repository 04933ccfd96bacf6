from __future__ import annotations

import pytest

from trigger_ml.artifacts import Resources
from trigger_ml.errors import ConfigError
from trigger_ml.synth.devices import DEVICES, find_device, share


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("xcvu13p-flga2577-2-e", "VU13P"),
        ("XCVU13P-FLGA2577-2-E", "VU13P"),
        ("xcvu13p", "VU13P"),
        ("VU13P", "VU13P"),
        (" vu13p ", "VU13P"),
        ("xcvu13p_CIV-figd2104-2-e", "VU13P"),
        ("xcu250-figd2104-2L-e", "VU13P"),
        ("xcvu9p-flgb2104-2-i", "VU9P"),
        ("xcvu7p-flvb2104-2-e", "VU7P"),
        ("xcku115-flvb2104-2-i", "KU115"),
        ("xcku15p-ffve1760-2-e", "KU15P"),
        ("xczu7ev-ffvc1156-2-e", "ZU7EV"),
        ("xc7vx690tffg1927-2", "VX690T"),
        ("xc7vx690t", "VX690T"),
        ("7vx690tffg1927-2", "VX690T"),
    ],
)
def test_parts_and_devices_are_found(part: str, name: str) -> None:
    assert find_device(part).name == name


@pytest.mark.parametrize("part", ["", "xcvu", "xcvu13", "xcvu13px", "xcvu1", "xc7vx690", "u"])
def test_half_a_name_is_no_part(part: str) -> None:
    with pytest.raises(ConfigError):
        find_device(part)


def test_an_unknown_part_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        find_device("xcvu31p-fsvh1924-2-e")
    message = str(caught.value)
    assert message.startswith(
        "target.part: the totals of part 'xcvu31p-fsvh1924-2-e' are not known\n    -> did you mean "
    )
    assert "VU3P" in message.split("?")[0]
    assert "The known devices are VU13P, VU11P, VU9P" in message


def test_nothing_near_gives_the_list_alone() -> None:
    with pytest.raises(ConfigError, match=r"-> The known devices are VU13P"):
        find_device("lattice")


def test_published_totals() -> None:
    totals = {d.name: (d.lut, d.ff, d.dsp, 2 * d.bram36, d.uram, d.slrs) for d in DEVICES}
    assert totals["VU9P"] == (1_182_240, 2_364_480, 6_840, 4_320, 960, 3)
    assert totals["VU13P"] == (1_728_000, 3_456_000, 12_288, 5_376, 1_280, 4)
    assert totals["KU115"] == (663_360, 1_326_720, 5_520, 4_320, 0, 2)
    assert totals["KU15P"] == (522_720, 1_045_440, 1_968, 1_968, 128, 1)
    assert totals["ZU7EV"] == (230_400, 460_800, 1_728, 624, 96, 1)
    assert totals["VX690T"] == (433_200, 866_400, 3_600, 2_940, 0, 1)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_totals_hang_together(device) -> None:  # type: ignore[no-untyped-def]
    assert device.ff == 2 * device.lut  # two flip-flops beside every LUT6, in all these families
    for count in (device.lut // 8, device.ff, device.dsp, device.bram36, device.uram):
        assert count % device.slrs == 0
    assert device.source.startswith("AMD DS")
    assert all(part == part.lower() for part in device.parts)


def test_dice_of_one_kind_add_up() -> None:
    by_name = {device.name: device for device in DEVICES}
    for one, parts in (("VU9P", ("VU7P", "VU3P")), ("VU13P", ("VU11P",))):
        for other in parts:
            assert by_name[one].slr == by_name[other].slr


def test_no_two_devices_share_a_spelling() -> None:
    spellings = [part for device in DEVICES for part in device.parts]
    assert len(set(spellings)) == len(spellings)


def test_share_of_part_and_of_one_slr() -> None:
    device = find_device("VU13P")
    used = Resources(lut=17_280, ff=0, dsp=12_288)
    assert share(used, device) == {"lut": 0.01, "ff": 0.0, "dsp": 1.0}
    assert share(used, device, slr=True) == {"lut": 0.04, "ff": 0.0, "dsp": 4.0}


def test_what_was_not_counted_has_no_share() -> None:
    assert share(Resources(), find_device("VU9P")) == {}
