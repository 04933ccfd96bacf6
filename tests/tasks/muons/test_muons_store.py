"""Files of images: the same from any number of processes, whole or not at all, read checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from trigger_ml.errors import BuildError, ConfigError, DataError
from trigger_ml.tasks.muons import store
from trigger_ml.tasks.muons.recipe import SampleRecipe, read_sample_recipe
from trigger_ml.tasks.muons.store import CHUNK, count_images, read_muons, write_muons

RECIPE = SampleRecipe(images=2500, seed=7)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("muons") / "muons.h5"
    write_muons(path, RECIPE)
    return path


@pytest.fixture
def copy(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sample, tmp_path / "muons.h5"))


def contents(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][:] for name in file}


def test_layout(sample: Path) -> None:
    with h5py.File(sample) as file:
        found = {name: (file[name].shape, file[name].dtype.name) for name in file}
        assert dict(file.attrs) == {
            "format": "trigger_ml muons",
            "version": 1,
            "seed": 7,
            "recipe": RECIPE.to_yaml(),
        }
        assert file["hits"].compression == "gzip"
    track = ((2500, 3), "float32")
    assert found == {
        "hits": ((2500, 8, 384), "uint8"),
        "truth": ((2500, 8, 384), "uint8"),
        "muons": ((2500,), "uint8"),
        "pt": track,
        "eta": track,
        "strip": track,
        "charge": track,
        "background": ((2500,), "float32"),
        "dead_layers": ((2500,), "uint8"),
    }


def test_any_number_of_processes_makes_the_same_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    recipe = RECIPE.model_copy(update={"images": 6 * CHUNK + 100})
    write_muons(one, recipe)
    write_muons(two, recipe, jobs=2, progress=lambda done, total: seen.append((done, total)))
    mine, theirs = contents(one), contents(two)
    assert all(np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine)
    assert [done for done, _ in seen] == [*range(CHUNK, 7 * CHUNK, CHUNK), 6 * CHUNK + 100]


def test_a_smaller_sample_is_the_beginning_and_another_seed_another(
    sample: Path, tmp_path: Path
) -> None:
    write_muons(tmp_path / "small.h5", RECIPE.model_copy(update={"images": 100}))
    write_muons(tmp_path / "other.h5", RECIPE.model_copy(update={"images": 100, "seed": 8}))
    begin = read_muons(sample, 0, 100)
    assert np.array_equal(read_muons(tmp_path / "small.h5").hits, begin.hits)
    assert not np.array_equal(read_muons(tmp_path / "other.h5").hits, begin.hits)
    chunks = read_muons(sample)
    assert not np.array_equal(chunks.hits[:400], chunks.hits[2048:2448])


def test_reading_a_part(sample: Path) -> None:
    part, whole = read_muons(sample, 2040, 2060), read_muons(sample)
    assert len(part) == 20 and len(whole) == count_images(sample) == 2500
    assert np.array_equal(part.truth, whole.truth[2040:2060])
    assert np.array_equal(part.pt, whole[2040:2060].pt, equal_nan=True)
    assert len(whole[whole.muons == 0]) == (whole.muons == 0).sum()
    with pytest.raises(DataError, match="images 2500 to 2500 were asked for, it has 2500"):
        read_muons(sample, 2500, 2600)


def test_all_that_is_wrong_is_told(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        del file["charge"]
        del file["eta"]
        file["eta"] = np.zeros((2499, 3), np.float32)
        del file["muons"]
        file["muons"] = np.zeros(2500, np.int64)
    with pytest.raises(DataError) as caught:
        read_muons(copy)
    text = str(caught.value)
    assert len(caught.value.blockers) == 3
    assert "charge: there is no such dataset" in text
    assert "eta: must be float32 (2500, 3), found float32 (2499, 3)" in text
    assert "muons: must be uint8 (2500,), found int64 (2500,)" in text


def test_contents_that_cannot_be(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["hits"][0, 0, 0] = 64
        file["truth"][1] = 63
        file["hits"][1] = 0
        file["pt"][2] = np.nan
        file["muons"][2] = 2
        file["dead_layers"][3] = 1
        file["hits"][3, 0, 0] = 1
    with pytest.raises(DataError) as caught:
        read_muons(copy)
    text = str(caught.value)
    assert "hits: must be words of 6 bits, found 64" in text
    assert "truth: marks hits that are not in the image" in text
    assert "pt: lists 0 muons in row 2, 2 are counted" in text
    assert "dead_layers: names layers that have hits" in text


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist\n.*trigger-ml data muons"):
        read_muons(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(DataError, match="is not an HDF5 file"):
        read_muons(tmp_path / "text.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(DataError, match="holds no image"):
        count_images(tmp_path / "empty.h5")


def test_damaged_file(copy: Path) -> None:
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is not an HDF5 file"):
        read_muons(copy)


def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.h5"
    thesis.write_text("my thesis")
    with pytest.raises(DataError, match="exists and is not a sample of chamber images made here"):
        write_muons(thesis, RECIPE)
    assert thesis.read_text() == "my thesis"


def test_failure_leaves_the_last_good_file(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = copy.read_bytes()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "simulate", fails)
    with pytest.raises(BuildError, match="No space left on device"):
        write_muons(copy, RECIPE)
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == ["muons.h5"]


def test_no_processes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs: must be 1 or more, found 0"):
        write_muons(tmp_path / "muons.h5", RECIPE, jobs=0)
    assert not list(tmp_path.iterdir())


def test_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(RECIPE.to_yaml())
    assert read_sample_recipe(path) == RECIPE
    wrong = {
        "image": 5,
        "muons": {"shares": [0.5, 0.5, 0.5, 0.5], "close": 2},
        "background": {"multiples": [1, 2]},
    }
    path.write_text(yaml.safe_dump(wrong))
    with pytest.raises(ConfigError) as caught:
        read_sample_recipe(path)
    text = str(caught.value)
    assert "image: there is no such key\n    -> did you mean images?" in text
    assert "muons.close: Input should be less than or equal to 1" in text
    assert "2 multiples need as many weights, found 3" in text
    for section, what in (
        ({"muons": {"shares": [0.5] * 4}}, "must not be negative and add to 1"),
        ({"muons": {"pt_min_gev": 20, "pt_max_gev": 10}}, "pt_min_gev must be below pt_max_gev"),
        ({"background": {"multiples": [500], "weights": [1]}}, "between 0 and 100"),
        ({"background": {"multiples": [5], "weights": [0]}}, "one must be above 0"),
    ):
        path.write_text(yaml.safe_dump(section))
        with pytest.raises(ConfigError, match=what):
            read_sample_recipe(path)


def test_the_recipe_of_the_repository_is_the_default() -> None:
    committed = Path(__file__).parents[3] / "models" / "muon_segmenter" / "sample.yaml"
    assert read_sample_recipe(committed) == SampleRecipe()
