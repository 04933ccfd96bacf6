"""TrackML events, written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.tasks.tracks.trackml import find_events, read_trackml, read_trackml_event

BIG = 4_503_668_346_847_233
"""A particle as the challenge names them: its neighbours differ in the last digit."""
HITS = """hit_id,x,y,z,volume_id,layer_id,module_id
3,-72,0,-20,8,4,1
1,0,32,10,8,2,1
2,0,31.5,9,8,2,2
4,0,40,600,9,2,1
5,0,72,30,8,4,1
6,32,0,1,8,2,1
7,72,0,2,8,4,1
"""
TRUTH = f"""hit_id,particle_id,tx,ty,tz,tpx,tpy,tpz,weight
2,{BIG},0,0,0,0,2.0,2,0.1
3,{BIG + 1},0,0,0,-3,0,0,0.1
4,{BIG + 1},0,0,0,-9,0,0,0.1
5,{BIG},0,0,0,0,1.5,1,0.1
6,0,0,0,0,9,9,9,0
7,{BIG + 2},0,0,0,0.3,0,0,0.1
1,{BIG},0,0,0,0,1.9,1,0.1
"""
PARTICLES = f"""particle_id,vx,vy,vz,px,py,pz,q,nhits
{BIG + 1},0,0,0,-5,0,5,1,2
{BIG + 2},0,0,0,0.4,0,0,1,1
{BIG},0,0,0,3,4,0,1,3
"""


def write(folder: Path, hits: str = HITS, truth: str = TRUTH, particles: str = "") -> Path:
    event = folder / "event000001000"
    (folder / "event000001000-hits.csv").write_text(hits)
    (folder / "event000001000-truth.csv").write_text(truth)
    if particles:
        (folder / "event000001000-particles.csv").write_text(particles)
    return event


def test_one_event(tmp_path: Path) -> None:
    write(tmp_path, particles=PARTICLES)
    (found,) = read_trackml(find_events(tmp_path), 1.0)
    assert found.layer.tolist() == [0, 1, 1]
    assert found.r.tolist() == [31.5, 72, 72] and found.z.tolist() == [9, -20, 30]
    assert found.phi.tolist() == pytest.approx([np.pi / 2, -np.pi, np.pi / 2])
    assert found.particle.tolist() == [0, 1, 0] and found.pt.tolist() == [5, 5, 5]
    assert found.eta.tolist() == pytest.approx([0, np.arcsinh(1), 0])


def test_momentum_at_the_innermost_hit(tmp_path: Path) -> None:
    event = write(tmp_path)
    found = read_trackml_event(event, 1.0)
    assert found.pt.tolist() == [2, 3, 2] and found.eta[0] == pytest.approx(np.arcsinh(1))
    assert read_trackml_event(event, 2.5).pt.tolist() == [3]
    assert read_trackml_event(event, 0.1).pt.tolist() == pytest.approx([2, 3, 0.3, 2])


def test_events_of_a_folder(tmp_path: Path) -> None:
    for name in ("event000000012", "event000000011"):
        (tmp_path / f"{name}-hits.csv").write_text(HITS)
    with pytest.raises(DataError) as caught:
        find_events(tmp_path)
    assert [Path(blocker.where).name for blocker in caught.value.blockers] == [
        "event000000011-truth.csv",
        "event000000012-truth.csv",
    ]
    for name in ("event000000012", "event000000011"):
        (tmp_path / f"{name}-truth.csv").write_text(TRUTH)
    assert [path.name for path in find_events(tmp_path)] == ["event000000011", "event000000012"]
    with pytest.raises(DataError, match=r"holds no event\*-hits.csv"):
        find_events(tmp_path / "..")
    with pytest.raises(DataError, match="is not a folder"):
        find_events(tmp_path / "none")


def test_columns_that_are_missing(tmp_path: Path) -> None:
    event = write(tmp_path, HITS.replace("volume_id", "vol"), TRUTH.replace("tpx", "px"))
    with pytest.raises(DataError) as caught:
        read_trackml_event(event, 1.0)
    text = str(caught.value)
    assert len(caught.value.blockers) == 2
    assert "event000001000-hits.csv: volume_id: there is no such column" in text
    assert "event000001000-truth.csv: tpx: there is no such column; the file has hit_id, p" in text


def test_hits_that_do_not_match(tmp_path: Path) -> None:
    hits = HITS.replace("7,72,0", "6,72,0") + "8,1,2,3,8,2,1\n9,1,nan,3,8,2,1\n"
    particles = PARTICLES.replace(f"{BIG + 2}", f"{BIG}")
    event = write(tmp_path, hits, TRUTH, particles)
    with pytest.raises(DataError) as caught:
        read_trackml_event(event, 1.0)
    text = str(caught.value)
    assert len(caught.value.blockers) == 6
    assert "hits.csv: hit_id must name a hit once; 6 twice" in text
    assert "hits.csv: hit_id 8, 9: not in event000001000-truth.csv" in text
    assert "truth.csv: hit_id 7: not in event000001000-hits.csv" in text
    assert "hits.csv: positions must be finite numbers" in text
    assert f"particles.csv: particle_id {BIG}: named twice" in text
    assert f"truth.csv: particle_id {BIG + 2}: not in event000001000-particles.csv" in text


@pytest.mark.parametrize(
    ("hits", "what"),
    [
        ("", "hit_id: there is no such column; the file has nothing"),
        (HITS.split("\n")[0] + "\n", "holds no hits"),
        (HITS + "8,a,2,3,8,2,1\n", "is not a table of numbers"),
        (HITS + "8,1\n", "is not a table of numbers"),
        (HITS.replace("6,32", "6.5,32"), "is not a table of numbers"),
    ],
    ids=["empty", "no rows", "a word", "short row", "half a hit"],
)
def test_files_that_are_no_tables(tmp_path: Path, hits: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_trackml_event(write(tmp_path, hits), 1.0)


def test_missing_hits(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_trackml_event(tmp_path / "event1", 1.0)
    assert str(caught.value).count("No such file") == 2
