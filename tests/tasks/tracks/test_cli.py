"""The commands ``data tracks`` and ``show tracks`` as a user meets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.store import TrackStore, write_events


def run(*arguments: object, cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "trigger_ml.cli", *map(str, arguments)],
        cwd=cwd, text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def rows(table: str) -> dict[str, str]:
    return {line[:19].strip(): line[19:].strip() for line in table.splitlines()}


def test_simulate_and_show(tmp_path: Path) -> None:
    (tmp_path / "tracks.yaml").write_text("{events: 9, pileup: 0, cuts: {z0_max_mm: 1000}}\n")
    flags = ("--recipe", "tracks.yaml", "--events", 2, "--seed", 5, "--processes", 1)
    code, out, err = run("data", "tracks", "-o", "some.h5", *flags, cwd=tmp_path)
    assert code == 0, err
    assert "PYTHIA 8 and ACTS" in err
    store = TrackStore.open(tmp_path / "some.h5")
    assert len(store) == 2 and store.cuts == Cuts(z0_max_mm=1000)
    found = rows(out)
    assert found["file"] == "some.h5" and found["events"].startswith("2, ")
    hits = sum(len(event) for event in store.events())
    assert found["hits"] == f"{hits:,}, {hits / 2:.0f} an event"
    assert float(found["segment efficiency"].rstrip("%")) > 95
    code, out, err = run("show", "tracks", "some.h5", "--event", 1, "-o", "1.png", cwd=tmp_path)
    assert code == 0 and out.startswith("1.png: event 1: "), err
    assert (tmp_path / "1.png").read_bytes().startswith(b"\x89PNG")


def test_convert_trackml(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    for name in ("event000000001", "event000000002"):
        (folder / f"{name}-hits.csv").write_text(
            "hit_id,x,y,z,volume_id,layer_id,module_id\n"
            "1,32,0,1,8,2,1\n2,72,0.5,2,8,4,1\n3,116,1,500,8,6,1\n"
        )
        (folder / f"{name}-truth.csv").write_text(
            "hit_id,particle_id,tx,ty,tz,tpx,tpy,tpz,weight\n"
            "1,7,0,0,0,3,0,0,1\n2,7,0,0,0,3,0,0,1\n3,7,0,0,0,3,0,0,1\n"
        )
    code, out, err = run("data", "tracks", "--trackml", "train", cwd=tmp_path)
    found = rows(out)
    assert code == 0 and found["hits"] == "6, 3 an event", err
    assert found["candidate edges"] == "2, 1 an event" and found["true edges"] == "2, 100.00%"
    assert found["lost by the cuts"] == "2 segments" and found["segment efficiency"] == "50.00%"
    flags = ("--trackml", "train", "--events", 1, "-o", "hits.h5")
    assert run("data", "tracks", *flags, cwd=tmp_path)[0] == 0
    store = TrackStore.open(tmp_path / "hits.h5")
    assert len(store) == 1 and store.attributes["source"] == "TrackML, train"
    (folder / "event000000002-truth.csv").write_text("hit_id\n1\n")
    code, out, err = run("data", "tracks", "--trackml", "train", "-o", "new.h5", cwd=tmp_path)
    assert (code, out) == (2, "") and "4 problems" in err and "particle_id: there is no" in err
    assert not (tmp_path / "new.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("data", "tracks", "--events", 0), "flags: events: Input should be greater than or equ"),
        (("data", "tracks", "--processes", 0), "processes: must be 1 or more, found 0"),
        (("data", "tracks", "--trackml", "none"), "none: is not a folder"),
        (("show", "tracks", "none.h5"), "none.h5: does not exist"),
        (("show", "tracks", "hits.h5", "--event", 9), "event 9: is not there: events 0 to 3 are"),
        (("show", "tracks", "hits.h5", "--zoom", 5, 6), "zoom: must be two azimuths"),
        (("show", "tracks", "hits.h5", "--scores", "hits.h5"), "hits.h5: is not an .npz file"),
    ],
)
def test_wrong_flags(
    tmp_path: Path, events: list[EventHits], arguments: tuple[object, ...], what: str
) -> None:
    write_events(tmp_path / "hits.h5", events, Cuts(), {})
    code, out, err = run(*arguments, cwd=tmp_path)
    assert (code, out) == (2, "") and what in err
    assert [path.name for path in tmp_path.iterdir()] == ["hits.h5"]
