"""The model card of a trained muon segmenter, as the README of its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe

__all__ = ["model_card"]

STARTS: Final = {
    "patterns": "a pattern finder written as convolutions",
    "random": "random weights",
}
KEPT: Final = ", whose first layer stayed as it was"
HEAD: Final = """# Muon segmenter

Marks the cells (partition, strip) of a chamber of six layers, 8 partitions and 384 strips that a
muon passed: {kernels} convolutions with {filters} filters and {bits}-bit weights,
{zero} of {total} of them zero. A cell is marked where it has a hit and its logit is above zero:
the threshold is in the last bias, and a product with "has a hit" makes other logits zero.

This page is written by `trigger-ml train muons` from `metrics.json`.

## Figures

On {test:,} images that the training never saw, empty ones and those whose muons are all above
{pt:g} GeV; intervals are at {level:.0%}. An image is matched when more than {match:.0%} of its true
cells are marked. Fakes are marked cells that no muon made; an empty chamber fires when any of its
cells is marked, or, in the last column, two that touch. The threshold was chosen for
{efficiency:.1%} of the validation images at {background:g} times the background.

| background | | efficiency | fakes / image | of marked | empty firing | 2 cells |
|---|---|---|---|---|---|---|
"""

EQUAL: Final = """
### At equal efficiency

Settings of the pattern finder at {background:g} times the background, and each network with a
threshold that finds no less on the same images. First the best setting of all, then the best of
CMS's own patterns:

| | efficiency | fakes / image | of marked | empty firing | 2 cells |
|---|---|---|---|---|---|
"""

BODY: Final = """
In the first table, `patterns` is the first of these settings. The pattern finder follows the one of
the CMS ME0 trigger (see `trigger_ml/tasks/muons/baseline.py`); `metrics.json` has all settings. It
marks only cells with a hit, as the networks do.

![efficiency against transverse momentum](efficiency_pt.png)
![efficiency against fakes](fakes.png)

## Use it

    trigger-ml compile model.h5 --data events.npz --config compile.yaml

with `firmware: {{output: threshold, threshold: {step:g}}}` in `compile.yaml`: logits are multiples
of {step:g}, so those above zero reach it, and cells without a hit do not. `events.npz` holds test
images: `x` (n, 8, 384, 6), one bit each, and `y` (n, 8, 384).

The network marks cells, not single hits: one output for six inputs makes the firmware's last layer
and its output six times smaller, and nothing is lost downstream, where the hits of a marked cell
(`hits & mask`) are at hand. Hits of other particles on the same strip as the muon stay.

## Data

Images of `trigger-ml data muons`, seed {sample_seed}; split by number: {split}.

## Limits

- The chamber is simulated from parameters; see `trigger_ml/tasks/muons/chamber.py` for those that
  are assumptions. A trigger must retrain on its own hits.
- Muons below {pt:g} GeV are found less often: see the plot. In the training, an image with one
  counted {soft:g} times as much as any other.
- One training, seed {seed}: the intervals cover the test images, not the spread of trainings.

## Made with

`recipe.yaml`, and {versions}. The float network has the same layers, its ReLUs saturating at the
same values. It was trained first ({float_epochs} epochs, from {start}{kept}), then pruned by
magnitude in floating point ({pruned_epochs} epochs); then the activations and the weights
went to their grids, one layer after the other, while what follows trained on. The loss follows
what is judged: every fake cell counts, of a muon's cells those that a match needs, and of an
empty chamber above all its highest cell.
"""


def model_card(metrics: Mapping[str, Any], recipe: SegmenterRecipe) -> str:
    """Markdown text. metrics: as in ``metrics.json``."""
    layers, point = recipe.layers, recipe.working_point
    values = {
        "kernels": ", ".join(f"{layer.kernel[0]}x{layer.kernel[1]}" for layer in layers),
        "filters": "-".join(str(layer.filters) for layer in layers),
        "bits": "-".join(str(layer.weight_bits) for layer in layers),
        "zero": metrics["weights"]["zero"],
        "total": metrics["weights"]["total"],
        "test": metrics["images"]["test"],
        "pt": point.pt_min_gev,
        "background": point.background,
        "efficiency": point.efficiency,
        "level": metrics["interval_level"],
        "match": metrics["matched_above"],
        "sample_seed": metrics["sample"]["seed"],
        "split": ", ".join(f"{count:,} {side}" for side, count in metrics["images"].items()),
        "seed": metrics["seed"],
        "versions": ", ".join(f"{name} {value}" for name, value in metrics["versions"].items()),
        "float_epochs": recipe.training.float_epochs,
        "pruned_epochs": recipe.training.pruned_epochs,
        "start": STARTS[recipe.start],
        "kept": KEPT if recipe.first_layer_kept else "",
        "step": recipe.logit_step,
        "soft": recipe.training.soft_weight,
    }
    rows = "\n".join(_rows(metrics, metrics["equal_efficiency"][0]["finder"]))
    same = "\n".join(
        _row(name, *_cells(found))
        for item in metrics["equal_efficiency"]
        for name, found in ((item["finder"], item["found"]), *item["networks"].items())
    )
    head, table = HEAD.format(**values), EQUAL.format(**values)
    return f"{head}{rows}\n{table}{same}\n{BODY.format(**values)}"


def _rows(metrics: Mapping[str, Any], finder: str) -> Iterator[str]:
    masks = {**metrics["networks"], "patterns": metrics["pattern_finders"][finder]}
    for multiple in next(iter(masks.values()))["background"]:
        for name, mask in masks.items():
            yield _row(f"{multiple}x", name, *_cells(mask["background"][multiple]))


def _cells(found: Mapping[str, Any]) -> Iterator[str]:
    yield _percent(found["efficiency"])
    yield _plain(found["fakes"])
    yield _percent(found["fake_share"])
    yield _percent(found["empty_firing"])
    yield _percent(found["group_empty_firing"])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(figure: Mapping[str, float | None]) -> str:
    return _span(figure, 100.0, 2, " %")


def _plain(figure: Mapping[str, float | None]) -> str:
    return _span(figure, 1.0, 3, "")


def _span(figure: Mapping[str, float | None], scale: float, digits: int, unit: str) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return "not measured"
    text = f"{scale * value:.{digits}f}{unit}"
    if low is None or high is None:
        return text
    return f"{text} ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
