"""Images as groups of columns."""

from __future__ import annotations

import numpy as np

from trigger_ml.columns import ColumnLayout, StreamPorts

LAYOUT = ColumnLayout(height=2, width=5, channels=3, lanes=2)


def test_columns_come_in_order_and_the_last_group_is_filled_up() -> None:
    images = np.arange(2 * 30).reshape(2, 30)
    rows = LAYOUT.to_groups(images, 3)
    assert rows.shape == (6, 12)
    # Column 0 of image 0: row 0 holds 0..2, row 1 holds 15..17.
    assert rows[0].tolist() == [0, 1, 2, 15, 16, 17, 3, 4, 5, 18, 19, 20]
    assert rows[2].tolist() == [12, 13, 14, 27, 28, 29, 0, 0, 0, 0, 0, 0]
    assert np.array_equal(LAYOUT.from_groups(rows, 3), images)


def test_ports_survive_json() -> None:
    ports = StreamPorts(3, LAYOUT, ColumnLayout(2, 5, 1, 2), {"kernel0": 2})
    assert StreamPorts.from_json(ports.to_json()) == ports
    flagged = StreamPorts(3, LAYOUT, LAYOUT, {}, 5)
    assert StreamPorts.from_json(flagged.to_json()) == flagged != ports
    before = {key: value for key, value in ports.to_json().items() if key != "flag_bits"}
    assert StreamPorts.from_json(before) == ports
