"""The model card of a trained tagger, as the README of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.names import FEATURES
from trigger_ml.tasks.jets.recipe import Recipe

__all__ = ["model_card"]

HEAD: Final = """# Jet tagger

Tells jets of gluons, light quarks (u, d, s), W, Z and top quarks apart, from {features} features
of a groomed jet. A {layers} dense network with {weight_bits}-bit weights, of which
{sparsity:.1%} are zero, {activation_bits}-bit activations and {input_bits}-bit inputs.

This page is written by `trigger-ml train jets` from `metrics.json`.

## Figures

On {test:,} jets of events that the training never saw; intervals are at {level:.0%}.

| | float network | this network | difference |
|---|---|---|---|
"""

BODY: Final = """
AUC and rejection are of one class against all others; rejection is 1 / background efficiency at
{signal:.0%} signal efficiency. Both networks have the same layers and saw the same jets and the
same scaled inputs. They decide {flips} of the jets differently.

## Use it

    trigger-ml compile model.h5 --data events.npz

`events.npz` holds test jets, already scaled. Others are scaled with `scaling.json`:
`(x - offset) / scale`, rounded half to even and saturated on a grid of {input_bits} bits,
{input_integer} of them integer bits without the sign. Every scale is a power of two and every
offset a whole number of steps: a shift, a subtraction and a saturation in firmware. The features,
in order: {names}.

## Data

{jets:,} jets ({counts}) from {generator}; settings and versions are in `data_card.json`, digest
`{digest}`. Split by event number: {split}.

## Limits

- The features come from simulated particles, with no detector, no pile-up and no resolution of a
  trigger's own objects. A trigger must retrain on its own inputs; the figures show what
  quantization and firmware cost, not what an experiment would reach.
- All jets lie in one narrow window of transverse momentum (see `data_card.json`); outside of it
  nothing is known.
- W and Z differ by little but their mass, 80 and 91 GeV, and stay the hardest pair.
- One training, seed {seed}: the intervals cover the test jets, not the spread of trainings.

## Made with

`recipe.yaml`, and {versions}. Trained in floating point first ({float_epochs} epochs), then
quantized ({quantized_epochs} epochs) with magnitude pruning, {distillation:.0%} of the target
being the float network's answer.
"""


def model_card(metrics: Mapping[str, Any], recipe: Recipe, card: DataCard) -> str:
    """Markdown text. metrics: as in ``metrics.json``."""
    network, jets = recipe.network, metrics["data"]["jets"]
    values = {
        "features": len(FEATURES),
        "layers": "-".join(map(str, network.hidden)),
        "weight_bits": network.weight_bits,
        "activation_bits": network.activation_bits,
        "input_bits": recipe.inputs.bits,
        "input_integer": recipe.inputs.integer,
        "sparsity": metrics["weights"]["sparsity"],
        "test": jets["test"],
        "level": metrics["interval_level"],
        "signal": metrics["signal_efficiency"],
        "flips": _percent(metrics["decisions_changed"]),
        "names": ", ".join(f"`{name}`" for name in FEATURES),
        "jets": card.jets,
        "counts": ", ".join(f"{kind} {count:,}" for kind, count in card.counts.items()),
        "generator": card.generator,
        "digest": metrics["data"]["digest"],
        "split": ", ".join(f"{count:,} {side}" for side, count in jets.items()),
        "seed": metrics["seed"],
        "versions": ", ".join(f"{name} {value}" for name, value in metrics["versions"].items()),
        "float_epochs": recipe.training.float_epochs,
        "quantized_epochs": recipe.training.quantized_epochs,
        "distillation": recipe.training.distillation,
    }
    rows = "\n".join(_rows(metrics))
    return HEAD.format(**values) + rows + "\n" + BODY.format(**values)


def _rows(metrics: Mapping[str, Any]) -> list[str]:
    left, right = (metrics["networks"][name] for name in ("float", "quantized"))
    changes = metrics["quantized_minus_float"]
    accuracies = (_percent(item["accuracy"]) for item in (left, right))
    rows = [_row("accuracy", *accuracies, _percent(changes["accuracy"], sign="+"))]
    for name, figures in left["classes"].items():
        pair = (figures["auc"], right["classes"][name]["auc"])
        change = changes.get(f"auc:{name}")
        rows.append(_row(f"AUC, {name}", *map(_plain, pair), _plain(change, "+.4f")))
    for name, figures in left["classes"].items():
        pair = (figures["background_rejection"], right["classes"][name]["background_rejection"])
        rows.append(_row(f"rejection, {name}", *(_plain(item, ".1f") for item in pair), ""))
    return rows


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(estimate: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:{sign}.2f} % ({low:{sign}.2f} to {high:{sign}.2f})"


def _plain(estimate: Mapping[str, float | None] | None, form: str = ".4f") -> str:
    if estimate is None:
        return "not measured"
    value, low, high = (
        "infinite" if estimate[key] is None else f"{estimate[key]:{form}}"
        for key in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})"
