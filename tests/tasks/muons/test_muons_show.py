"""Pictures, and the commands ``data muons`` and ``show muons`` as a user meets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from trigger_ml.check.segmentation import Cells, binned, judge
from trigger_ml.errors import ConfigError, DataError
from trigger_ml.report.plots import to_png, to_svg
from trigger_ml.report.themes import LIGHT, THEMED
from trigger_ml.tasks.muons.display import event_display, event_figure
from trigger_ml.tasks.muons.plots import efficiency_figure, trade_off_figure
from trigger_ml.tasks.muons.recipe import SampleRecipe
from trigger_ml.tasks.muons.shown import read_masks, show_muons
from trigger_ml.tasks.muons.store import read_muons, write_muons


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("muons") / "muons.h5"
    write_muons(path, SampleRecipe(images=20))
    return path


def run(*arguments: object, cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "trigger_ml.cli", *map(str, arguments)],
        cwd=cwd, text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def boxes(figure: object) -> dict[str, list[tuple[float, float]]]:
    """Middles of the boxes of each colour: (strip, height)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for collection in figure.axes[0].collections:  # type: ignore[attr-defined]
        assert isinstance(collection, PolyCollection)
        middles = [path.vertices[:4].mean(axis=0) for path in collection.get_paths()]
        colour = to_hex(collection.get_facecolor()[0]) if middles else ""
        found[colour] = [(float(x), float(y)) for x, y in middles]
    return found


def test_every_hit_has_its_box_and_colour() -> None:
    hits, truth = np.zeros((8, 384), np.uint8), np.zeros((8, 384), np.uint8)
    hits[7, 10], hits[0, 300], truth[0, 300] = 0b000001, 0b100010, 0b000010
    mask = np.zeros((8, 384))
    mask[0, 300] = 1
    found = boxes(event_figure(hits, truth, mask))
    assert found[LIGHT.series[1]] == [(300.5, pytest.approx(7 * 7 + 1.45))]
    assert found[LIGHT.muted] == [
        (300.5, pytest.approx(7 * 7 + 5.45)),
        (10.5, pytest.approx(0.45)),
    ]
    assert found[LIGHT.soft] == [(300.5, pytest.approx(7 * 7 - 0.2 + 3.15))]
    assert LIGHT.soft not in boxes(event_figure(hits, truth))


def test_pictures(sample: Path) -> None:
    image = read_muons(sample, 0, 1)
    png = event_display(image.hits[0], image.truth[0], image.truth[0])
    assert png.startswith(b"\x89PNG") and len(png) > 5000
    svg = event_display(image.hits[0], image.truth[0], form="svg", strips=(0, 60))
    assert b"<svg" in svg and b"background" in svg
    page = to_svg(event_figure(image.hits[0], image.truth[0], palette=THEMED), "event", "e")
    assert "var(--plot-s1)" in page and LIGHT.series[1] not in page


def test_pictures_that_cannot_be(sample: Path) -> None:
    words = read_muons(sample, 0, 1).hits
    with pytest.raises(DataError) as caught:
        event_display(words, words, words[0, :, :5])
    assert [blocker.where for blocker in caught.value.blockers] == ["hits", "truth", "mask"]
    with pytest.raises(ConfigError, match="form: must be png or svg, found 'pdf'"):
        event_display(words[0], words[0], form="pdf")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="strips: must rise within 0 to 384"):
        event_display(words[0], words[0], strips=(10, 400))


def test_masks_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.npz"
    np.savez(path, mask=np.ones((4, 8, 384, 1), np.uint8))
    assert read_masks(path, 4).shape == (4, 8, 384) and read_masks(path, 4).all()
    with pytest.raises(DataError, match=r"must have the shape \(5, 8, 384\), found \(4, 8, 384\)"):
        read_masks(path, 5)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(DataError, match="must hold the array mask, it has other"):
        read_masks(path, 4)
    path.write_text("nothing")
    with pytest.raises(DataError, match=r"is not an \.npz file"):
        read_masks(path, 4)


def test_several_pictures_or_none(sample: Path, tmp_path: Path) -> None:
    drawn = show_muons(sample, (0, 3), tmp_path / "event.svg")
    assert [path.name for path, _ in drawn] == ["event-0.svg", "event-3.svg"]
    assert all(path.exists() for path, _ in drawn)
    with pytest.raises(DataError, match="image 20: is not there: images 0 to 19 are"):
        show_muons(sample, (0, 20), tmp_path / "none.png")
    with pytest.raises(ConfigError, match=r"must end in \.png or \.svg, found \.pdf"):
        show_muons(sample, (0,), tmp_path / "none.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["event-0.svg", "event-3.svg"]


def cells() -> tuple[Cells, np.ndarray]:
    true = np.array([4, 4, 4, 4, 0, 0])
    marked = np.array([4, 4, 1, 5, 1, 0])
    found = np.array([4, 4, 1, 4, 0, 0])
    return Cells(true, marked, found, marked), np.array([1, 1, 1, 1, 0, 0])


def test_curves_show_what_they_are_given() -> None:
    counted, muons = cells()
    pt = np.array([5.0, 6.0, 12.0, 15.0, np.nan, np.nan])
    bins = binned(counted, pt, (5, 10, 20, 40))
    figure = efficiency_figure({"network": bins, "finder": bins}, "pT (GeV)", scale="log")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "pT (GeV)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "10", "20", "40"]
    lines = [container.lines[0] for container in axes.containers]
    assert [line.get_ydata().tolist() for line in lines] == [[1.0, 0.5]] * 2, "no empty bin"
    assert all(5 < x < 20 for line in lines for x in line.get_xdata())
    found = judge(counted, muons)
    trade = trade_off_figure({"network": [found, found]}, "fakes")
    line = trade.axes[0].lines[0]
    assert line.get_xdata().tolist() == pytest.approx([2 / 6] * 2)
    assert line.get_ydata().tolist() == [0.75] * 2
    assert to_png(trade).startswith(b"\x89PNG")


def test_simulate_and_show(tmp_path: Path) -> None:
    flags = ("--images", 30, "--background", 5, "--seed", 9)
    code, out, err = run("data", "muons", "-o", "muons.h5", *flags, cwd=tmp_path)
    assert (code, out) == (0, "muons.h5: 30 images, seed 9\n"), err
    with h5py.File(tmp_path / "muons.h5") as file:
        assert set(file["background"][:]) == {5.0} and len(file["hits"]) == 30
    code, out, err = run(
        "show", "muons", "muons.h5", "--image", 2, "-o", "two.png", "--strips", 0, 100,
        cwd=tmp_path,
    )  # fmt: skip
    assert code == 0 and out.startswith("two.png: image 2; background × 5; "), err
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")


def test_wrong_flags(tmp_path: Path) -> None:
    flags = ("--images", 0, "--background", -1)
    code, out, err = run("data", "muons", "-o", "muons.h5", *flags, cwd=tmp_path)
    assert (code, out) == (2, "") and "2 problems" in err
    assert "flags: images: Input should be greater than or equal to 1, found 0" in err
    assert "flags: background: multiples must lie between 0 and 100" in err
    code, out, err = run("show", "muons", "none.h5", cwd=tmp_path)
    assert (code, out) == (2, "") and "none.h5: does not exist" in err
    assert not list(tmp_path.iterdir())
