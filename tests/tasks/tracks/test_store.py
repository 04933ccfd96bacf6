"""Files of track hits: whole or not at all, read in parts, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.tasks.tracks import store
from trigger_ml.tasks.tracks.hits import COLUMNS, EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.store import TrackStore, write_events

CUTS = Cuts(z0_max_mm=77)


@pytest.fixture
def path(events: list[EventHits], tmp_path: Path) -> Path:
    write_events(tmp_path / "hits.h5", events, CUTS, {"seed": 9})
    return tmp_path / "hits.h5"


def equal(ones: Iterable[EventHits], others: Iterable[EventHits]) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for one, other in zip(ones, others, strict=True)
        for name in COLUMNS
    )


def test_layout(path: Path) -> None:
    with h5py.File(path) as file:
        found = {name: (file[name].shape, file[name].dtype.name) for name in file}
        assert file["event_start"][:].tolist() == [0, 300, 310, 310, 910]
        assert file.attrs["seed"] == 9 and file.attrs["format"] == "trigger_ml tracks"
    kinds = ("uint8", "float32", "float32", "float32", "int32", "float32", "float32")
    names = ("layer", "r", "phi", "z", "particle", "pt", "eta")
    expected = {name: ((910,), kind) for name, kind in zip(names, kinds, strict=True)}
    assert found == {**expected, "event_start": ((5,), "int64")}


def test_what_is_written_is_read(
    path: Path, events: list[EventHits], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = TrackStore.open(path)
    assert len(opened) == 4 and opened.cuts == CUTS and opened.attributes["seed"] == 9
    for batch in (256, 1, 3):
        monkeypatch.setattr(store, "BATCH", batch)
        assert equal(opened.events(), events)
        assert equal(opened.events(slice(1, -1)), events[1:3])
        assert equal(opened.events(slice(3, 99)), events[3:])
        write_events(path, events, CUTS, {})
        assert equal(TrackStore.open(path).events(), events)
    assert equal([opened.event(3)], events[3:])
    with pytest.raises(DataError, match="event 4: is not there: events 0 to 3 are"):
        opened.event(4)
    with pytest.raises(ValueError, match="without a step"):
        next(opened.events(slice(None, None, 2)))


def test_progress(events: list[EventHits], tmp_path: Path) -> None:
    seen: list[int] = []
    assert write_events(tmp_path / "hits.h5", events, CUTS, {}, seen.append) == 4
    assert seen == [1, 2, 3, 4]


def test_layout_that_cannot_be(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["phi"], file["pt"], file["z"]
        file["z"] = np.zeros(7, np.float32)
        file["pt"] = np.zeros(910)
    with pytest.raises(DataError) as caught:
        TrackStore.open(path)
    text = str(caught.value)
    assert len(caught.value.blockers) == 4
    assert "phi: there is no such dataset" in text
    assert "pt: must be float32 with one axis, found float64 (910,)" in text
    assert "columns must be equally long, found layer 910, r 910, z 7" in text
    assert "event_start: ends at 910, there are 7 hits" in text


@pytest.mark.parametrize(
    ("starts", "what"),
    [([0], "holds no event"), ([0, 9, 8, 910], "never fall"), ([1, 910], "begin at 0")],
)
def test_starts_that_cannot_be(path: Path, starts: list[int], what: str) -> None:
    with h5py.File(path, "a") as file:
        del file["event_start"]
        file["event_start"] = np.array(starts)
    with pytest.raises(DataError, match=what):
        TrackStore.open(path)


def test_content_that_cannot_be(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["layer"][305] = 10
        file["r"][305] = np.nan
    opened = TrackStore.open(path)
    assert len(list(opened.events(slice(0, 1)))) == 1
    with pytest.raises(DataError) as caught:
        opened.event(1)
    assert [blocker.what for blocker in caught.value.blockers] == [
        "r must be finite numbers",
        "layer must be 0 to 9, found 10",
    ]
    with h5py.File(path, "a") as file:
        file.attrs["cuts"] = "z0_max_mm: -1"
    with pytest.raises(ConfigError, match="cuts: z0_max_mm: Input should be greater than 0"):
        TrackStore.open(path)


def test_files_that_are_none(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist\n.*trigger-ml data tracks"):
        TrackStore.open(tmp_path / "none.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is not an HDF5 file"):
        TrackStore.open(path)


def test_another_file_is_never_replaced(tmp_path: Path, events: list[EventHits]) -> None:
    thesis = tmp_path / "thesis.h5"
    thesis.write_text("my thesis")
    with pytest.raises(DataError, match="exists and is not a file of track hits made here"):
        write_events(thesis, events, CUTS, {})
    assert thesis.read_text() == "my thesis"


def test_failure_leaves_the_last_good_file(path: Path, events: list[EventHits]) -> None:
    before = path.read_bytes()

    def breaks() -> Iterator[EventHits]:
        yield events[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_events(path, breaks(), CUTS, {})
    wrong = replace(events[0], layer=events[0].layer + 1)
    with pytest.raises(DataError, match="event 1: layer must be 0 to 9, found 10"):
        write_events(path, [events[0], wrong], CUTS, {})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["hits.h5"]
