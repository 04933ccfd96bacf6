"""Pictures of hit graphs: what is drawn where, in which colour, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.report.plots import to_svg
from trigger_ml.report.themes import LIGHT, THEMED
from trigger_ml.tasks.tracks.display import event_display, event_figure
from trigger_ml.tasks.tracks.graphs import HitGraph, build
from trigger_ml.tasks.tracks.hep_trkx import write_hep_trkx
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.shown import read_scores, show_tracks
from trigger_ml.tasks.tracks.store import write_events


@pytest.fixture
def event(helices: Callable[..., EventHits]) -> EventHits:
    """Two close tracks, one far from them, and one too soft for the cuts."""
    return helices([5, 5, 5, 0.4], phi=[0.1, 0.11, 2, -1])


@pytest.fixture
def graph(event: EventHits) -> HitGraph:
    return build(event, Cuts())


def lines(axes: Axes) -> dict[str, tuple[str, np.ndarray]]:
    """Colour and segments (n, 2, 2) of each kind of line."""
    return {
        str(found.get_label()): (to_hex(found.get_color()[0]), np.array(found.get_segments()))
        for found in axes.collections
        if isinstance(found, LineCollection)
    }


def legends(figure: Figure) -> list[list[str]]:
    return [
        [text.get_text() for legend in part.legends for text in legend.get_texts()]
        for part in figure.subfigs
    ]


def test_before(graph: HitGraph) -> None:
    figure = event_figure(graph)
    assert legends(figure) == [
        [f"true candidates: {graph.truth.sum()}", f"false candidates: {(~graph.truth).sum()}",
         "lost by the cuts: 9"]
    ]  # fmt: skip
    across, along = figure.axes
    found = lines(across)
    assert found["true candidates"][0] == LIGHT.series[0]
    assert found["false candidates"][0] == LIGHT.series[1]
    assert len(found["false candidates"][1]) == (~graph.truth).sum() > 0
    true = found["true candidates"][1]
    assert np.hypot(*true[0].T).tolist() == pytest.approx([32, 72])
    assert np.arctan2(true[0, 0, 1], true[0, 0, 0]) == pytest.approx(
        graph.phi[graph.senders[graph.truth][0]], abs=1e-6
    )
    drawn = lines(along)["lost by the cuts"][1]
    assert sorted(drawn[:, 0, 1].tolist()) == pytest.approx(
        [32, 72, 116, 172, 260, 360, 500, 660, 820]
    )
    assert drawn[:, :, 0] == pytest.approx(0)


def test_after(graph: HitGraph) -> None:
    scores = np.where(graph.truth, 0.9, 0.1)
    first_true, first_false = np.argmax(graph.truth), np.argmin(graph.truth)
    scores[first_true], scores[first_false] = 0.5, 0.6
    figure = event_figure(graph, scores)
    assert legends(figure)[1] == [
        f"kept rightly: {graph.truth.sum() - 1}", "kept wrongly: 1", "missed: 1"
    ]  # fmt: skip
    found = lines(figure.axes[3])
    assert found["kept wrongly"][0] == LIGHT.series[1]
    assert found["missed"][1][0, 0, 1] == graph.r[graph.senders[first_true]]
    strict = event_figure(graph, scores, threshold=0.95)
    assert legends(strict)[1][0] == "kept rightly: 0"


def test_zoom(graph: HitGraph) -> None:
    shown = event_figure(graph, zoom=(1.5, 2.5))
    assert legends(shown)[0] == ["true candidates: 9", "false candidates: 0", "lost by the cuts: 0"]
    low, high = shown.axes[0].get_ylim()
    assert low == pytest.approx(np.min(graph.r[graph.particle == 2]) * np.sin(2) - 30, abs=0.2)
    assert high == pytest.approx(np.max(graph.r * np.sin(graph.phi)) + 30)
    around = event_figure(graph, zoom=(1.5, -0.5))
    assert legends(around)[0][::2] == ["true candidates: 9", "lost by the cuts: 9"]
    for wrong in ((1.0, 1.0), (0.0, 4.0), (float("nan"), 1.0)):
        with pytest.raises(ConfigError, match="zoom: must be two azimuths from -pi to pi"):
            event_figure(graph, zoom=wrong)
    nothing = event_figure(graph, zoom=(2.9, 3.0))
    assert legends(nothing)[0][0] == "true candidates: 0"


def test_pictures(graph: HitGraph) -> None:
    png = event_display(graph, title="an event of $1")
    assert png.startswith(b"\x89PNG") and len(png) > 10_000
    svg = event_display(graph, np.ones(graph.edges), form="svg", title="an event")
    assert b"<svg" in svg and b"kept wrongly" in svg and b"an event" in svg
    page = to_svg(event_figure(graph, palette=THEMED), "event", "e")
    assert "var(--plot-s0)" in page and LIGHT.series[0] not in page
    with pytest.raises(ConfigError, match="form: must be png or svg, found 'pdf'"):
        event_display(graph, form="pdf")  # type: ignore[arg-type]


def test_scores_that_cannot_be(graph: HitGraph, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"scores: must have the shape \(\d+,\), found \(3,\)"):
        event_figure(graph, np.zeros(3))
    with pytest.raises(DataError, match="scores: must be finite numbers"):
        event_figure(graph, np.full(graph.edges, np.nan))
    path = tmp_path / "scores.npz"
    np.savez(path, other=np.zeros(3))
    with pytest.raises(DataError, match="must hold the array scores, it has other"):
        read_scores(path)
    np.savez(path, scores=np.array(["a"]))
    with pytest.raises(DataError, match="scores: must hold numbers, found <U1"):
        read_scores(path)
    path.write_text("nothing")
    with pytest.raises(DataError, match=r"is not an \.npz file"):
        read_scores(path)
    np.savez(path, scores=np.ones((4, 1)))
    assert read_scores(path).shape == (4,)


def test_files(event: EventHits, graph: HitGraph, tmp_path: Path) -> None:
    hits, output = tmp_path / "hits.h5", tmp_path / "event.svg"
    write_events(hits, [event, event], Cuts(phi_slope_max=0.01), {})
    title = show_tracks(hits, 1, output)
    assert title.startswith("event 1: 40 hits of 4 particles; ")
    assert int(title.split(", ")[1].split()[0]) == 36, "the cuts are the file's own"
    write_hep_trkx(tmp_path / "g.npz", graph)
    np.savez(tmp_path / "s.npz", scores=np.zeros(graph.edges))
    show_tracks(tmp_path / "g.npz", 0, output, tmp_path / "s.npz")
    assert "kept rightly: 0" in output.read_text()
    before = output.read_bytes()
    with pytest.raises(DataError, match="event 1: is not there: the file is one graph"):
        show_tracks(tmp_path / "g.npz", 1, output)
    with pytest.raises(DataError, match="event 2: is not there: events 0 to 1 are"):
        show_tracks(hits, 2, output)
    with pytest.raises(ConfigError, match=r"must end in \.png or \.svg, found \.pdf"):
        show_tracks(hits, 0, tmp_path / "event.pdf")
    assert output.read_bytes() == before and not list(tmp_path.glob("*.p*df"))
