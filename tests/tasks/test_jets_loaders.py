"""Loaders on tiny files, written here as the public ones are documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.tasks.chunks import Arrays
from trigger_ml.tasks.jets.card import DataCard, card_path
from trigger_ml.tasks.jets.loaders import CLASSES, FEATURES, load_jets
from trigger_ml.tasks.jets.store import write_sample
from trigger_ml.tasks.jets.subsample import subsample

JET_NAMES = (
    ["j_ptfrac", "j_pt", "j_eta", "j_mass"]
    + [f"j_{name}" for name in reversed(FEATURES)]
    + [f"j_other_{number}" for number in range(59 - 4 - 16 - 6)]
    + ["j_g", "j_q", "j_w", "j_z", "j_t", "j_undef"]
)
PARTICLE_NAMES = [
    f"j1_{name}"
    for name in (
        *("px", "py", "pz", "e", "erel", "pt", "ptrel", "eta", "etarel", "etarot"),
        *("phi", "phirel", "phirot", "deltaR", "costheta", "costhetarel", "pdgid"),
    )
]


def values(jets: int) -> np.ndarray:
    """Column c of jet n is n + c / 100: every number tells where it came from."""
    return np.arange(jets)[:, None] + np.arange(16) / 100.0


def write_public(path: Path, count: int = 10, particles: int = 70, **change: Any) -> Path:
    """An hls4ml LHC jet file: (n, 59) jets and (n, N, 16) constituents."""
    table = np.full((count, 59), -99.0)
    for column, name in enumerate(FEATURES):
        table[:, JET_NAMES.index(f"j_{name}")] = values(count)[:, column]
    table[:, -6:] = 0
    table[np.arange(count), 53 + np.arange(count) % 5] = 1
    cloud = np.random.default_rng(0).normal(size=(count, particles, 16))
    cloud[:, :, 5] = np.abs(cloud[:, :, 5]) + 1
    cloud[:, particles // 2 :, :] = 0  # zero-padded, as the public files are
    content: dict[str, Any] = {
        "jets": table,
        "jetFeatureNames": np.array(JET_NAMES, "S"),
        "jetConstituentList": cloud,
        "particleFeatureNames": np.array(PARTICLE_NAMES, "S"),
        **change,
    }
    with h5py.File(path, "w") as file:
        for name, rows in content.items():
            if rows is not None:
                file.create_dataset(name, data=rows)
    return path


def write_arff(path: Path, rows: list[str] | None = None, names: list[str] | None = None) -> Path:
    """OpenML's dense ARFF: 16 REAL attributes and the class."""
    attributes = [f"@ATTRIBUTE {name} REAL" for name in names or FEATURES]
    if rows is None:
        kinds = ["g", "w", "t", "z", "q"]
        rows = [
            ",".join([*(repr(float(v)) for v in line), kinds[n % 5]])
            for n, line in enumerate(values(10))
        ]
    head = ["% hls4ml_lhc_jets_hlf", "@RELATION hls4ml_lhc_jets_hlf", "", *attributes]
    text = "\n".join([*head, "@ATTRIBUTE class {g, w, t, z, q}", "", "@DATA", *rows, ""])
    path.write_text(text)
    return path


def write_ours(path: Path, per_class: int = 4) -> DataCard:
    jets = per_class * 5
    arrays: Arrays = {
        "features": values(jets).astype(np.float32),
        "labels": (np.arange(jets) % 5).astype(np.int8),
        "constituents": np.ones((jets, 64, 3), np.float32),
        "kinematics": np.ones((jets, 4), np.float32),
        "event": np.arange(jets),
    }
    card = DataCard("PYTHIA 8, FastJet", {}, {}, 1, 4, dict.fromkeys(CLASSES, per_class), {})
    return write_sample(path, iter([arrays]), card)


def test_ours(tmp_path: Path) -> None:
    card = write_ours(tmp_path / "jets.h5")
    sample = load_jets(tmp_path / "jets.h5")
    assert np.array_equal(sample.features, values(20).astype(np.float32))
    assert sample.labels.tolist() == [0, 1, 2, 3, 4] * 4
    assert sample.constituents is not None and sample.constituents.shape == (20, 64, 3)
    assert sample.event is not None and sample.card == card
    assert sample.source == "jets.h5 (PYTHIA 8, FastJet)"
    assert load_jets(tmp_path / "jets.h5", constituents=False).constituents is None
    assert len(load_jets(tmp_path / "jets.h5", limit=7)) == 7
    assert sample.counts() == dict.fromkeys(CLASSES, 4)


def test_ours_altered(tmp_path: Path) -> None:
    write_ours(tmp_path / "jets.h5")
    with h5py.File(tmp_path / "jets.h5", "r+") as file:
        file["features"][3, 3] += 1
        file["labels"][0] = 2
    with pytest.raises(DataError) as caught:
        load_jets(tmp_path / "jets.h5")
    assert [blocker.what for blocker in caught.value.blockers] == ["differs from the data card"] * 2


def test_public_hdf5(tmp_path: Path) -> None:
    path = write_public(tmp_path / "jetImage_7_150p_0_10000.h5")
    sample = load_jets(path)
    assert sample.features.dtype == np.float32 and sample.labels.dtype == np.int8
    assert np.array_equal(sample.features, values(10).astype(np.float32)), "columns go by name"
    assert sample.labels.tolist() == [0, 1, 2, 3, 4] * 2
    with h5py.File(path) as file:
        cloud = file["jetConstituentList"][:]
    hardest = cloud[4, cloud[4, :, 5].argmax()]
    assert sample.constituents is not None and sample.constituents.shape == (10, 64, 3)
    assert sample.constituents[4, 0] == pytest.approx(hardest[[5, 8, 11]], rel=1e-6)
    assert (np.diff(sample.constituents[:, :, 0]) <= 0).all()
    assert (sample.constituents[:, 35:] == 0).all()


def test_public_hdf5_with_few_particles_or_none(tmp_path: Path) -> None:
    short = load_jets(write_public(tmp_path / "a.h5", particles=30)).constituents
    assert short is not None and short.shape == (10, 64, 3) and (short[:, 30:] == 0).all()
    none = write_public(tmp_path / "b.h5", jetConstituentList=None)
    assert load_jets(none).constituents is None


def test_directory_of_public_files(tmp_path: Path) -> None:
    write_public(tmp_path / "jetImage_2.h5", count=5)
    write_public(tmp_path / "jetImage_1.h5", count=10)
    (tmp_path / "README").write_text("")
    sample = load_jets(tmp_path)
    assert len(sample) == 15 and sample.features[10, 0] == 0, "in the order of the names"
    assert sample.constituents is not None and len(sample.constituents) == 15
    assert len(load_jets(tmp_path, limit=12)) == 12
    assert len(load_jets(tmp_path, limit=10)) == 10


def test_tutorial_file(tmp_path: Path) -> None:
    names = [f"j_{name}" for name in (*FEATURES, *CLASSES)]
    rows = np.zeros(10, dtype=[("index", "i8"), *((name, "f8") for name in names)])
    for column, name in enumerate(FEATURES):
        rows[f"j_{name}"] = values(10)[:, column]
    for jet in range(10):
        rows[f"j_{CLASSES[jet % 5]}"][jet] = 1
    with h5py.File(tmp_path / "processed.z", "w") as file:
        file.create_dataset("t_allpar_new", data=rows)
    sample = load_jets(tmp_path / "processed.z")
    assert np.array_equal(sample.features, values(10).astype(np.float32))
    assert sample.labels.tolist() == [0, 1, 2, 3, 4] * 2


def test_openml_arff(tmp_path: Path) -> None:
    sample = load_jets(write_arff(tmp_path / "hlf.arff"))
    assert np.array_equal(sample.features, values(10).astype(np.float32))
    assert sample.labels.tolist() == [0, 2, 4, 3, 1] * 2
    assert sample.constituents is None
    assert len(load_jets(tmp_path / "hlf.arff", limit=3)) == 3


def test_arff_with_prefixes_quotes_and_another_order(tmp_path: Path) -> None:
    names = [f"'j_{name}'" for name in reversed(FEATURES)]
    rows = [",".join([*(str(v) for v in line[::-1]), " 'w'"]) for line in values(3)]
    sample = load_jets(write_arff(tmp_path / "data", rows, names))
    assert np.array_equal(sample.features, values(3).astype(np.float32))
    assert sample.labels.tolist() == [2, 2, 2]


GOOD = ",".join(["1.5"] * 16)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no jets"),
        ([GOOD + ",g", "1,2,g"], "1 data rows have not 17 values, the first is data row 2"),
        ([GOOD + ",b"], "has the classes b, which are none of"),
        ([GOOD.replace("1.5", "?", 1) + ",g"], "column zlogz: 1 of 1 values are not finite"),
        ([GOOD.replace("1.5", "inf", 1) + ",g"], "column zlogz: 1 of 1 values are not finite"),
        ([GOOD + ",g", GOOD.replace("1.5", "x", 1) + ",g"], "data row 2: could not convert"),
    ],
)
def test_bad_arff(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_jets(write_arff(tmp_path / "bad.arff", rows))
    assert message in str(caught.value)


def test_arff_lists_every_missing_column(tmp_path: Path) -> None:
    names = [name for name in FEATURES if name not in ("zlogz", "mass_mmdt")]
    with pytest.raises(DataError) as caught:
        load_jets(write_arff(tmp_path / "bad.arff", [GOOD], names))
    assert [blocker.what for blocker in caught.value.blockers] == [
        "has no attribute 'zlogz'",
        "has no attribute 'mass_mmdt'",
    ]


def test_all_blockers_at_once(tmp_path: Path) -> None:
    path = write_public(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["jets"][2, JET_NAMES.index("j_zlogz")] = np.nan
        file["jets"][3:5, JET_NAMES.index("j_mass_mmdt")] = np.inf
        file["jetConstituentList"][0, 0, 8] = np.nan
    with pytest.raises(DataError) as caught:
        load_jets(path)
    assert [str(blocker).splitlines()[0] for blocker in caught.value.blockers] == [
        f"{path}, column zlogz: 1 of 10 values are not finite",
        f"{path}, column mass_mmdt: 2 of 10 values are not finite",
        f"{path}, constituents: 1 of 10 jets hold values that are not finite",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jets": np.zeros((0, 59))}, "holds no jets"),
        ({"jets": np.zeros((4, 58))}, "must be 2-dimensional with 59 columns"),
        ({"jets": np.zeros((4, 59))}, "4 of 4 jets are not flagged as exactly one of"),
        ({"jetFeatureNames": np.array([f"x{n}" for n in range(59)], "S")}, "has no column j_zlogz"),
        ({"particleFeatureNames": np.array(["px"] * 17, "S")}, "has no column j1_pt, j1_etarel"),
        ({"jetConstituentList": np.zeros((10, 30))}, "must have the shape (10, N, 16)"),
        ({"jets": None}, "is HDF5 of another kind, with jetConstituentList"),
    ],
)
def test_bad_public_file(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_jets(write_public(tmp_path / "bad.h5", **change))
    assert message in str(caught.value)


def test_files_that_are_none_of_these(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.h5").write_bytes(b"")
    for name, message in {
        "a.csv": "is neither HDF5 nor ARFF",
        "cut.h5": "is damaged",
        "zero.h5": "is neither HDF5 nor ARFF",
        "nothing.h5": "cannot be read: No such file",
        "empty": "holds no .h5 or .hdf5 file",
    }.items():
        with pytest.raises(DataError) as caught:
            load_jets(tmp_path / name)
        assert message in str(caught.value), name
    with pytest.raises(ConfigError, match="limit: must be 1 or more, found 0"):
        load_jets(tmp_path / "a.csv", limit=0)


def test_subsample(tmp_path: Path) -> None:
    origin = write_ours(tmp_path / "jets.h5", per_class=40)
    card = subsample(tmp_path / "jets.h5", tmp_path / "small.h5", 30, seed=2)
    again = subsample(tmp_path / "jets.h5", tmp_path / "again.h5", 30, seed=2)
    other = subsample(tmp_path / "jets.h5", tmp_path / "other.h5", 30, seed=3)
    assert card.digest == again.digest != other.digest
    assert card.source == f"30 of each class, drawn with seed 2 from {origin.digest}"
    assert card_path(tmp_path / "small.h5").exists()
    sample = load_jets(tmp_path / "small.h5")
    assert sample.counts() == dict.fromkeys(CLASSES, 30) and sample.constituents is None
    first = np.floor(sample.features[:, 0]).astype(int)
    assert len(set(first)) == 150, "no jet twice"
    assert (first % 5 == sample.labels).all(), "every jet keeps its label"


def test_subsample_of_a_public_file(tmp_path: Path) -> None:
    write_public(tmp_path / "public.h5")
    card = subsample(tmp_path / "public.h5", tmp_path / "s.h5", 2, seed=0, constituents=True)
    assert card.generator == "public.h5 (hls4ml LHC jets)"
    assert load_jets(tmp_path / "s.h5").constituents is not None


def test_subsample_refuses(tmp_path: Path) -> None:
    write_ours(tmp_path / "jets.h5")
    with pytest.raises(DataError) as caught:
        subsample(tmp_path / "jets.h5", tmp_path / "small.h5", 5, seed=1)
    assert len(caught.value.blockers) == 5 and "has 4 jets, 5 are needed" in str(caught.value)
    with pytest.raises(ConfigError, match="must not be the sample"):
        subsample(tmp_path / "jets.h5", tmp_path / "jets.h5", 1, seed=1)
    with pytest.raises(ConfigError, match="found 0 and 1"):
        subsample(tmp_path / "jets.h5", tmp_path / "small.h5", 0, seed=1)
