"""One trial of the search: an HGQ2 training with drawn settings, and the frontier it leaves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.hgq_client import train_frontier
from trigger_ml.compress.hgq_settings import HgqSettings
from trigger_ml.compress.judging import Judged, Reference, judge, to_point
from trigger_ml.compress.metrics.find import find_metric
from trigger_ml.compress.networks.network import load_network
from trigger_ml.compress.networks.resize import resized
from trigger_ml.compress.recipe import CompressRecipe, Hgq, Limits
from trigger_ml.compress.search.space import Parameters, Value
from trigger_ml.compress.search.trials import TrialRequest, TrialResult
from trigger_ml.compress.selection import choose
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.settings import check_settings

__all__ = ["SEARCHED", "HgqTrial", "trial_settings"]

SEARCHED: Final = (
    "beta_first",
    "beta_last",
    "learning_rate",
    "epochs",
    "warm_epochs",
    "batch",
    "distillation",
    "polish_epochs",
    "polish_learning_rate",
    "points",
    "hidden_1",
    "hidden_2",
    "hidden_3",
    "hidden_4",
    "seed",
)
"""Names that a search space may hold; hidden_N is the size of the N-th hidden layer, 0 for none."""


@dataclass(frozen=True, slots=True)
class HgqTrial:
    """Runs trials; pickled, and called in the search's workers.

    network: file of the float network (:func:`trigger_ml.compress.networks.network.save_network`).
    data: file of the events (:meth:`Dataset.save`). recipe: its last step is ``hgq``; drawn
    settings go on top of it.
    """

    network: Path
    data: Path
    recipe: CompressRecipe
    config: Config

    def __call__(self, request: TrialRequest) -> TrialResult:
        """Train, judge every point, and answer all of them.

        The point that stands for the trial is the smallest within the recipe's tolerance, or
        the best where none is. Raises TriggerMLError when the training leads nowhere.
        """
        settings, seed = trial_settings(self.recipe, request.parameters)
        source, data = load_network(self.network), Dataset.load(self.data)
        reference = Reference.of(source, data)
        metric = find_metric(self.recipe.goal.metric, data.classes)
        start = resized(source, settings.hidden, seed)
        with tempfile.TemporaryDirectory(prefix="trigger-ml.") as scratch:
            candidates = train_frontier(
                start,
                source.logits(data.x_train),
                data,
                settings,
                self.config,
                metric=self.recipe.goal.metric,
                seed=seed,
                folder=request.folder,
                scratch=Path(scratch),
                watch=Stopwatch(Quiet()),
            )
        found = [
            judge(
                item,
                reference,
                data,
                metric,
                self.config,
                confidence=self.recipe.goal.confidence,
                seed=self.recipe.seed,
            )
            for item in candidates
        ]
        best = choose(found, self.recipe.goal, Limits()).judged or _best(found)
        folder = request.folder.name
        points = tuple(
            to_point(item, f"trials/{folder}/{item.prototype.file.name}", request.number)
            for item in found
        )
        return TrialResult(points, (best.cost.lut, best.validation.candidate.value))


def _best(found: list[Judged]) -> Judged:
    return max(found, key=lambda item: item.validation.change.value)


def trial_settings(recipe: CompressRecipe, drawn: Parameters) -> tuple[HgqSettings, int]:
    """Settings and seed of a trial: the recipe's, with the drawn ones on top.

    Raises ConfigError for names that are not in SEARCHED and for values that cannot be.
    """
    wrong = [name for name in drawn if name not in SEARCHED]
    if wrong:
        known = ", ".join(SEARCHED)
        raise ConfigError(
            [Blocker(f"space.{name}", "cannot be searched", f"known are {known}") for name in wrong]
        )
    step = recipe.steps[-1]
    if not isinstance(step, Hgq):
        raise ConfigError(
            Blocker("steps", f"a search trains with HGQ2, and the last step is {step.step}")
        )
    data = step.model_dump(exclude={"step"})
    beta = list(data["beta"])
    for place, name in enumerate(("beta_first", "beta_last")):
        beta[place] = drawn.get(name, beta[place])
    plain = {name: value for name, value in drawn.items() if name in HgqSettings.model_fields}
    settings = {**data, **plain, "beta": tuple(beta), "hidden": _hidden(step, drawn)}
    seed = int(drawn.get("seed", recipe.seed))
    return check_settings(HgqSettings, settings, "search"), seed


def _hidden(step: Hgq, drawn: Mapping[str, Value]) -> tuple[int, ...] | None:
    names = [f"hidden_{number}" for number in range(1, 5)]
    sizes = [int(drawn[name]) for name in names if name in drawn]
    if not sizes:
        return step.hidden
    return tuple(size for size in sizes if size > 0)
