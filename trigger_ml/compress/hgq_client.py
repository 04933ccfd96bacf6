"""The main process's side of an HGQ2 training: one training, a whole frontier of candidates."""

from __future__ import annotations

import sys
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.hgq_settings import HgqSettings
from trigger_ml.compress.judging import Prototype
from trigger_ml.compress.networks.network import FloatNetwork, save_network
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.graph.model import FixedGraph
from trigger_ml.progress import Stopwatch
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["train_frontier"]

REPORTS: Final = 100
"""How often a training tells how far it is."""


def train_frontier(
    network: FloatNetwork,
    answers: NDArray[np.float64],
    data: Dataset,
    settings: HgqSettings,
    config: Config,
    *,
    metric: str,
    seed: int,
    folder: Path,
    scratch: Path,
    watch: Stopwatch,
) -> tuple[Prototype, ...]:
    """Train once, from costly to cheap, and return the candidates along the way, smallest first.

    network: where the weights start. answers: logits of the training events to learn from, shape
    (events, outputs). metric: its name; what is best at its size on the validation events is
    kept. folder: for the model files,
    ``hgq_<number>.keras``. scratch: for what the two processes exchange.

    Raises ConfigError when the training diverges or its price leaves nothing of the network,
    ToolMissingError without HGQ2, ToolFailedError when the process dies.
    """
    names = ("network.npz", "answers.npy", "events.npz")
    start, taught, events = (scratch / name for name in names)
    save_network(network, start)
    np.save(taught, answers)
    data.save(events)
    command = Command(
        (sys.executable, "-m", "trigger_ml.training.hgq_trainer"),
        scratch,
        "train the network",
        worker_environment(),
    )
    with Worker(command) as worker:
        with watch.stage("train", "train with HGQ2") as stage:
            ask(
                worker,
                do="start",
                network=str(start),
                answers=str(taught),
                dataset=str(events),
                settings=settings.model_dump(mode="json", include=set(HgqSettings.model_fields)),
                metric=metric,
                seed=seed,
            )
            done, told = 0, {}
            while done < settings.epochs:
                count = min(ceil(settings.epochs / REPORTS), settings.epochs - done)
                told = ask(worker, do="epochs", count=count)
                done += count
                stage.moved(done, settings.epochs)
            stage.note = f"loss {told['loss']:.4f}, {metric} {told['metric']:.4f} at the end"
        with watch.stage("points", "polish and convert the points") as stage:
            found = int(ask(worker, do="frontier", points=settings.points)["points"])
            candidates = []
            for index in range(found):
                candidates.append(_candidate(worker, index, config, folder, scratch, network.name))
                stage.moved(index + 1, found)
            stage.note = f"{found} points"
    if not candidates:
        raise ConfigError(
            Blocker(
                "hgq.beta",
                f"no epoch left a network with a live bit ({settings.beta[0]:g} to "
                f"{settings.beta[1]:g})",
                "begin with a lower price",
            )
        )
    return tuple(candidates)


def _candidate(
    worker: Worker, index: int, config: Config, folder: Path, scratch: Path, top: str
) -> Prototype:
    name = f"hgq_{index:02d}"
    file = folder / f"{name}.keras"
    answer: dict[str, Any] = ask(
        worker,
        do="point",
        index=index,
        file=str(file),
        directory=str(scratch / "hls"),
        top=top,
        backend=config.firmware.backend,
        part=config.target.part,
        clock_ns=1e3 / config.target.clock_mhz,
        io_type=config.firmware.interface(streamable=False),
    )
    graph = FixedGraph.from_json(answer["graph"])
    details = {"beta": answer["price"], "epoch": answer["epoch"]}
    return Prototype(name, file, graph, "hgq", float(answer["ebops"]), details)
