"""The model card of a trained edge classifier, as the README of its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe

__all__ = ["model_card"]

HEAD: Final = """# Edge classifier

Scores the segments between hits in adjacent layers of a barrel tracker: an interaction network
of {iterations} iterations with {hidden} hidden units, messages of {message} and nodes of {node}
numbers, {weight_bits}-bit weights, {activation_bits}-bit activations, {zero} of {total} weights
zero. A segment is kept where its logit is zero or more.

This page is written by `trigger-ml train tracks` from `metrics.json`.

## Figures

On {test:,} events that the training never saw; intervals are at {level:.0%}. Purity is the share of
the kept segments that are true, efficiency the share of the true ones that are kept, both of the
segments that have a slot; the last column is the efficiency of all true segments of the hit graphs.

| sectors | | purity | efficiency | accuracy | AUC | of all true |
|---|---|---|---|---|---|---|
"""

BODY: Final = """
At the threshold that was best for the accuracy on {validation:,} other events:

| sectors | | logit | purity | efficiency | accuracy |
|---|---|---|---|---|---|
{best}

Tracks are groups of hits that kept segments connect, with hits in {layers} layers or more. A
particle with hits in so many is found when one track has {same:.0%} of its hits and {same:.0%} of
the track's hits are its; a track is fake when no particle made {same:.0%} of its hits. `ideal` is
a network that is right about every segment that has a slot:

| sectors | | found | fake tracks |
|---|---|---|---|
{tracks}

![efficiency against transverse momentum](efficiency_pt.png)
![efficiency against pseudorapidity](efficiency_eta.png)
![tracks found against transverse momentum](tracks_pt.png)

## Size

Bit operations are those of the weights that are not zero, times weight bits, times bits of what
they multiply; `dense` is the same network with all weights and 8 bits everywhere.

| sectors | nodes | edge slots | bit operations | dense | ratio |
|---|---|---|---|---|---|
{sizes}

## Sectors

One network, two firmwares: `model.h5` judges small sectors, `model_large.h5` strips of cells. Both
take a sector as columns, one for each layer of each cell, some of them every clock. What does not
fit is dropped and flagged (bit 0 of `flags`: hits, bit 1: segments), and counts as lost in the last
column of the first table:

| sectors | an event | with dropped hits | with dropped segments | hits dropped | true lost |
|---|---|---|---|---|---|
{lost}

- small: one cell for each direction of a segment, {small_phi} in azimuth (at a radius of
  {radius:g} mm) times {small_eta} in pseudorapidity; {small_slots} hits in each layer. Nine
  of ten links between a track's segments stay in one sector; with cells of position, these would
  have to overlap by as much as tracks bend, and twice as many true segments had no slot.
- large: {own} of {large_phi} cells in azimuth, and {reach} more at both ends for context, for hits
  before and behind the middle plane; {large_slots} hits of each layer in a cell, and full cells
  give hits to their neighbours. A segment reaches {reach} cell to either side.

## Use it

    trigger-ml compile model.h5 --data events.npz --config compile.yaml
    trigger-ml compile model_large.h5 --data events_large.npz --config compile_large.yaml

`events.npz` holds the sectors of {kept} test events: `x` (n, {rows}, {columns}, {features}); `y`,
`candidates`, `pt`, `eta`, `float_scores`, `inner` and `outer` (hits within the event)
(n, {rows}, {columns}); `flags` and `event` (n,). `events_large.npz` is for `model_large.h5`.
The features of a segment, all 0 where there is none:
{names};
see `trigger_ml/tasks/tracks/sector_images.py`.

## Data

Events of `trigger-ml data tracks`, seed {sample_seed}; split by number: {split}.

## Limits

- Simulated hits of particles above the sample's least transverse momentum, and no others.
- One training, seed {seed}: the intervals cover the test events, not the spread of trainings.

## Made with

`recipe.yaml`, and {versions}. The float network ({f_iterations} iterations, {f_hidden} hidden
units, messages of {f_message}, nodes of {f_node} numbers) was trained first ({float_epochs}
epochs). The small one learned from it and from the truth: {pruned_epochs} epochs in floating point
while weights were pruned by magnitude, {quantized_epochs} on its grids.
"""


def model_card(metrics: Mapping[str, Any], recipe: EdgeRecipe) -> str:
    """Markdown text. metrics: as in ``metrics.json``."""
    small, large, training = recipe.small, recipe.large, recipe.training
    values = {
        **recipe.network.model_dump(),
        **{f"f_{name}": size for name, size in recipe.float_network.model_dump().items()},
        "weight_bits": recipe.grids.weight_bits,
        "activation_bits": recipe.grids.activation_bits,
        "zero": metrics["weights"]["zero"],
        "total": metrics["weights"]["total"],
        "test": metrics["events"]["test"],
        "validation": metrics["events"]["validation"],
        "level": metrics["interval_level"],
        "layers": metrics["track"]["layers"],
        "same": metrics["track"]["same"],
        "best": "\n".join(_best(metrics)),
        "tracks": "\n".join(_tracks(metrics)),
        "sizes": "\n".join(_sizes(metrics)),
        "lost": "\n".join(_lost(metrics)),
        "small_phi": small.phi_cells,
        "small_eta": small.eta_cells,
        "small_slots": small.slots,
        "radius": small.radius_mm,
        "own": large.own,
        "large_phi": large.phi_cells,
        "reach": large.reach,
        "large_slots": large.slots,
        "kept": metrics["events_kept"],
        "rows": recipe.shapes["small"].edge_rows,
        "columns": recipe.shapes["small"].columns,
        "features": len(metrics["features"]),
        "names": ", ".join(f"`{name}`" for name in metrics["features"]),
        "sample_seed": metrics["sample"]["seed"],
        "split": ", ".join(f"{count:,} {side}" for side, count in metrics["events"].items()),
        "seed": metrics["seed"],
        "versions": ", ".join(f"{name} {value}" for name, value in metrics["versions"].items()),
        "float_epochs": training.float_epochs,
        "pruned_epochs": training.pruned_epochs,
        "quantized_epochs": training.quantized_epochs,
    }
    rows = "\n".join(_half(metrics))
    return f"{HEAD.format(**values)}{rows}\n{BODY.format(**values)}"


def _networks(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for kind, sector in metrics["sectors"].items():
        for network, figures in sector["networks"].items():
            yield kind, network, figures


def _half(metrics: Mapping[str, Any]) -> Iterator[str]:
    for kind, network, figures in _networks(metrics):
        shares = [_percent(figures["half"][name]) for name in ("purity", "efficiency", "accuracy")]
        yield _row(kind, network, *shares, f"{figures['auc']:.4f}", _percent(figures["whole"]))


def _best(metrics: Mapping[str, Any]) -> Iterator[str]:
    for kind, network, figures in _networks(metrics):
        best = figures["best"]
        shares = [_percent(best[name]) for name in ("purity", "efficiency", "accuracy")]
        yield _row(kind, network, f"{best['threshold']:.3f}", *shares)


def _tracks(metrics: Mapping[str, Any]) -> Iterator[str]:
    for kind, sector in metrics["sectors"].items():
        found = {name: figures["tracks"] for name, figures in sector["networks"].items()}
        for name, tracks in {**found, "ideal": sector["ideal_tracks"]}.items():
            yield _row(kind, name, _percent(tracks["efficiency"]), _percent(tracks["fakes"]))


def _sizes(metrics: Mapping[str, Any]) -> Iterator[str]:
    for kind, sector in metrics["sectors"].items():
        used, dense = sector["bit_operations"], sector["dense_bit_operations"]
        shape = sector["shape"]
        counts = (f"{value:,}" for value in (shape["nodes"], shape["edges"], used, dense))
        yield _row(kind, *counts, f"{dense / used:.1f}")


def _lost(metrics: Mapping[str, Any]) -> Iterator[str]:
    for kind, sector in metrics["sectors"].items():
        lost, events = sector["lost"], metrics["events"]["test"]
        shares = (
            ("nodes_truncated", "sectors"), ("edges_truncated", "sectors"),
            ("hits_dropped", "hits"), ("true_lost", "true"),
        )  # fmt: skip
        cells = (f"{lost[part] / lost[whole]:.2%}" for part, whole in shares)
        yield _row(kind, f"{lost['sectors'] / events:.1f}", *cells)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(figure: Mapping[str, float | None]) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "not measured"
    return f"{100 * value:.2f} % ({100 * low:.2f} to {100 * high:.2f})"
