"""The public top-tagging set, in small files laid out as pandas' table format lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.tasks.jets.events import EventsRequest, write_jet_events
from trigger_ml.tasks.jets.top_metrics import compare_taggers
from trigger_ml.tasks.jets.top_tagging import is_top_tagging, load_top_tagging

ROW = np.dtype(
    [("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))]
)


def momenta(pt: Any, eta: Any, phi: Any) -> np.ndarray:
    """E, PX, PY, PZ of massless particles, shape (..., 4)."""
    pt, eta, phi = (np.asarray(a, dtype=np.float64) for a in (pt, eta, phi))
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1)


def rows(jets: int, seed: int = 1) -> np.ndarray:
    """Jets around eta 1 and phi 3.1, so that azimuths wrap; the particles are not sorted."""
    random = np.random.default_rng(seed)
    table = np.zeros(jets, ROW)
    for jet in range(jets):
        count = 10 + jet % 30
        around = random.normal(0, 0.1, (2, count))
        values = momenta(random.exponential(20, count) + 1, 1 + around[0], 3.1 + around[1])
        table["values_block_0"][jet, : 4 * count] = values.ravel()
    table["values_block_0"][:, 800:] = 7.0
    table["values_block_1"][:, 1] = np.arange(jets) % 2
    table["values_block_1"][:, 0] = 9
    return table


def write(path: Path, table: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("table").create_dataset("table", data=table)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "top"
    path.mkdir()
    for number, (name, jets) in enumerate((("train", 60), ("val", 20), ("test", 40))):
        write(path / f"{name}.h5", rows(jets, number))
    return path


def test_hardest_particles_relative_to_the_axis(tmp_path: Path) -> None:
    table = np.zeros(1, ROW)
    pt, eta, phi = [10.0, 100.0, 30.0], [1.2, 1.0, 0.9], [-3.1, 3.1, 3.0]
    table["values_block_0"][0, :12] = momenta(pt, eta, phi).ravel()
    table["values_block_1"][0] = (0, 1)
    found = load_top_tagging(write(tmp_path / "test.h5", table), 5)
    total = momenta(pt, eta, phi).sum(axis=0)
    axis = np.arcsinh(total[3] / np.hypot(*total[1:3])), np.arctan2(total[2], total[1])
    expected = np.zeros((5, 3))
    expected[:3] = [
        (p, e - axis[0], (f - axis[1] + np.pi) % (2 * np.pi) - np.pi)
        for p, e, f in ((100, 1.0, 3.1), (30, 0.9, 3.0), (10, 1.2, -3.1))
    ]
    assert found.particles[0] == pytest.approx(expected, abs=2e-5)
    assert np.abs(found.particles[0, :, 2]).max() < 0.2, "across the cut of the azimuth"
    assert found.labels.tolist() == [1]
    assert found.side.tolist() == [2], "by the file's name, whatever ttv says"


def test_a_folder_gives_all_sides(folder: Path, tmp_path: Path) -> None:
    assert is_top_tagging(folder)
    found = load_top_tagging(folder, 16)
    assert np.bincount(found.side).tolist() == [60, 20, 40]
    assert load_top_tagging(folder, 16, limit=5).labels.tolist() == [0, 1, 0, 1, 0] * 3
    written = write_jet_events(folder, tmp_path / "top.npz", EventsRequest(constituents=16))
    assert dict(written.jets) == {"train": 60, "validation": 20, "test": 40}
    with np.load(written.events) as file:
        assert tuple(file["classes"]) == ("qcd", "top")
        assert file["x"].shape == (120, 16, 3)
        assert np.array_equal(file["y"], found.labels)
        assert np.array_equal(file["split"], found.side)
        assert not file["x"][found.particles[..., 0] == 0].any()


def test_one_file_needs_a_scaling(folder: Path, tmp_path: Path) -> None:
    request = EventsRequest(constituents=16)
    with pytest.raises(DataError, match="no training jets to fit a scaling on"):
        write_jet_events(folder / "test.h5", tmp_path / "test.npz", request)
    assert not (tmp_path / "test.npz").exists()
    with pytest.raises(ConfigError) as caught:
        write_jet_events(folder, tmp_path / "test.npz", EventsRequest(validation=3))
    assert len(caught.value.blockers) == 2, "no features, and its own sides"


def test_what_it_is_not(folder: Path, tmp_path: Path) -> None:
    assert not is_top_tagging(tmp_path / "nothing")
    assert not is_top_tagging(tmp_path)
    text = tmp_path / "train.h5"
    text.write_text("no HDF5")
    assert not is_top_tagging(text)
    with pytest.raises(DataError, match="cannot be read"):
        load_top_tagging(text, 16)
    with pytest.raises(DataError, match=r"other\.h5: the name of a file says"):
        load_top_tagging((folder / "val.h5").rename(folder / "other.h5"), 16)
    with pytest.raises(ConfigError):
        load_top_tagging(folder, 201)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values_block_0": np.nan}, "4 of 4 jets hold numbers that are not finite"),
        ({"values_block_1": 2}, "4 of 4 jets have an is_signal_new that is neither 0 nor 1"),
        ({"values_block_0": 0}, "4 of 4 jets have no particle with transverse momentum"),
    ],
)
def test_broken_jets(tmp_path: Path, change: dict[str, float], message: str) -> None:
    table = rows(4)
    for name, value in change.items():
        table[name] = value
    with pytest.raises(DataError, match=message):
        load_top_tagging(write(tmp_path / "train.h5", table), 16)


def test_another_layout_and_no_jets(tmp_path: Path) -> None:
    narrow = np.dtype([("values_block_0", "<f4", (20,)), ("values_block_1", "<i8", (2,))])
    with pytest.raises(DataError, match="values_block_0 must have 800 numbers or more"):
        load_top_tagging(write(tmp_path / "train.h5", np.zeros(3, narrow)), 16)
    with pytest.raises(DataError, match="holds no jets"):
        load_top_tagging(write(tmp_path / "val.h5", rows(0)), 16)


def test_a_compression_that_h5py_lacks(tmp_path: Path) -> None:
    path = tmp_path / "train.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # Blosc, PyTables' own
        space = h5py.h5s.create_simple((4,))
        kind = h5py.h5t.py_create(ROW, logical=True)
        group = file.create_group("table").id
        h5py.h5d.create(group, b"table", kind, space, dcpl=plist)
    with pytest.raises(DataError, match="compressed by HDF5 filter 32001"):
        load_top_tagging(path, 16)


def test_figures_of_two_classes() -> None:
    random = np.random.default_rng(1)
    labels = np.arange(4000) % 2
    signal = random.normal(size=4000) + 2 * labels
    scores = np.stack([-signal, signal], axis=1)
    worse = scores + random.normal(size=scores.shape)
    found = compare_taggers(scores, worse, labels, ("qcd", "top"))
    assert list(found) == ["accuracy", "auc:top", "rejection@0.3:top"]
    cut = np.quantile(signal[labels == 1], 0.7)
    kept = (signal[labels == 0] > cut).mean()
    rejection = found["rejection@0.3:top"]["reference"]
    assert rejection["value"] == pytest.approx(1 / kept, rel=0.1)
    assert rejection["low"] < 1 / kept < rejection["high"]
    assert found["accuracy"]["change"]["high"] < 0
    assert len(compare_taggers(scores, worse, labels, ("a", "b"))) == 3
