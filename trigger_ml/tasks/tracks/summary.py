"""What hit graphs of a sample look like on average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trigger_ml.tasks.tracks.graphs import build
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Sums over events. true: edges of one particle. lost: its segments that the cuts drop."""

    events: int
    hits: int
    edges: int
    true: int
    lost: int

    @property
    def true_share(self) -> float | None:
        """Share of the edges that are true; None without edges."""
        return self.true / self.edges if self.edges else None

    @property
    def efficiency(self) -> float | None:
        """Share of the true segments that the cuts keep; None without any."""
        return self.true / (self.true + self.lost) if self.true + self.lost else None


def summarize(events: Iterable[EventHits], cuts: Cuts) -> Summary:
    """Build the hit graph of every event and count."""
    counts = [0, 0, 0, 0, 0]
    for event in events:
        graph = build(event, cuts)
        found = (1, graph.nodes, graph.edges, int(graph.truth.sum()), len(graph.lost))
        counts = [total + more for total, more in zip(counts, found, strict=True)]
    return Summary(*counts)
