"""A search over trainings: what ``trigger-ml explore`` runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from trigger_ml.compress.dataset import read_dataset
from trigger_ml.compress.judging import Reference
from trigger_ml.compress.metrics.find import find_metric
from trigger_ml.compress.networks.network import read_network, save_network
from trigger_ml.compress.recipe import CompressRecipe
from trigger_ml.compress.run import require_events
from trigger_ml.compress.search.explore import ExploreOutcome, ExploreRequest, explore
from trigger_ml.compress.search.hgq_trial import SEARCHED, HgqTrial, trial_settings
from trigger_ml.compress.search.space import parse_space
from trigger_ml.config import Config
from trigger_ml.files import write_text
from trigger_ml.progress import Listener
from trigger_ml.settings import read_settings, to_yaml

__all__ = ["DEFAULT_SPACE", "Search", "SearchRequest", "load_search", "run_search"]

DEFAULT_SPACE: Final[dict[str, Any]] = {
    "hidden_1": {"low": 8, "high": 64, "step": 8},
    "hidden_2": {"low": 0, "high": 32, "step": 8},
    "beta_last": {"low": 2e-5, "high": 2e-3, "log": True},
    "learning_rate": {"low": 4e-3, "high": 2e-2, "log": True},
}
"""What is searched when nothing is said: sizes, last price and step of the training."""


class Search(BaseModel):
    """The file of a search: the space, and the recipe that its trials start from."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    space: dict[str, Any] = Field(default_factory=lambda: dict(DEFAULT_SPACE))
    """By name: a range, a list of choices, or one value; see
    :mod:`trigger_ml.compress.search.space` and
    :data:`trigger_ml.compress.search.hgq_trial.SEARCHED`."""
    first: dict[str, float | int | str] = Field(default_factory=dict)
    """Settings of the first trial; what is missing is drawn."""
    recipe: CompressRecipe = CompressRecipe()
    """Its last step is ``hgq``; drawn settings go on top of it."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search to begin or to continue. jobs, scheduler, storage, trials: see ExploreRequest."""

    model: Path
    data: Path
    search: Search
    config: Config
    folder: Path
    trials: int
    jobs: int
    scheduler: str
    storage: str | None


def load_search(path: Path | None) -> Search:
    """Read a YAML file. Raises ConfigError listing every wrong key and value."""
    return Search() if path is None else read_settings(Search, path)


def run_search(request: SearchRequest, listener: Listener) -> ExploreOutcome:
    """Read model and events once for all workers, then search.

    Raises ModelError, DataError or ConfigError with all blockers before any trial runs, and
    whatever :func:`trigger_ml.compress.search.explore.explore` raises.
    """
    recipe = request.search.recipe
    space = parse_space(request.search.space, "space", SEARCHED)
    trial_settings(recipe, dict(request.search.first))
    network = read_network(request.model)
    shape, outputs = network.input_shape, network.outputs
    data = read_dataset(request.data, shape, outputs, recipe.split, recipe.seed)
    metric = find_metric(recipe.goal.metric, data.classes)
    require_events(Reference.of(network, data), data, metric, recipe)
    folder = request.folder.absolute()
    stored, events = folder / "network.npz", folder / "events.npz"

    def prepare(_folder: Path) -> None:
        save_network(network, stored)
        data.save(events)
        write_text(folder / "search.yaml", to_yaml(request.search))

    fingerprint = {
        "model": hashlib.sha256(request.model.read_bytes()).hexdigest(),
        "data": data.digest,
        "recipe": _digest(to_yaml(recipe)),
        "target": _digest(to_yaml(request.config.target)),
    }
    asked = ExploreRequest(
        folder=folder,
        space=space,
        fingerprint=fingerprint,
        metric=recipe.goal.metric,
        trials=request.trials,
        jobs=request.jobs,
        scheduler=request.scheduler,
        storage=request.storage,
        seed=recipe.seed,
        defaults=dict(request.search.first),
        prepare=prepare,
    )
    return explore(asked, HgqTrial(stored, events, recipe, request.config), listener)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
