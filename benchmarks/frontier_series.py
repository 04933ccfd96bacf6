"""What benchmarks/frontier.py compares: how each series is made, and how all are measured."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import read_dataset
from trigger_ml.compress.fine_tuning import FineTuning
from trigger_ml.compress.fixed_point.uniform import input_grid, uniform_types
from trigger_ml.compress.front.pareto import Point, front_from_json, pareto_front
from trigger_ml.compress.judging import Prototype, Reference, graph_scores, judge, to_point
from trigger_ml.compress.metrics.find import find_metric
from trigger_ml.compress.networks.network import read_network
from trigger_ml.compress.qkeras_client import fine_tune
from trigger_ml.compress.recipe import (
    CompressRecipe,
    FineTune,
    Hgq,
    PruneNeurons,
    Step,
    load_recipe,
)
from trigger_ml.compress.steps import StepRunner
from trigger_ml.config import load_config
from trigger_ml.files import write_text
from trigger_ml.frontends.client import open_model
from trigger_ml.progress import Listener, Stopwatch
from trigger_ml.splits import Split
from trigger_ml.toolrun import Command, run

PEER: Final = Path(__file__).with_name("hls4ml_optimizer.py")
METRIC: Final = "accuracy"
SEED: Final = 1
BITS: Final = 6
SPARSITY: Final = 0.75
HIDDEN: Final = ((32, 16), (16, 16))
"""Hidden layers of our networks: where widths are free, small networks that keep most of their
weights cost fewer LUTs than large ones that lose most of theirs."""
SIZES: Final = (1.0, 0.5, 0.25)
"""Shares of the neurons of every hidden layer that the uniform networks keep."""
PEER_EPOCHS: Final = 10
"""Of each level of sparsity: the documentation's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A measured model. scores: its logits on the test events, shape (events, outputs)."""

    point: Point
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to make. model: float network. folder: for models. reuse: keep those that are there.
    share: of all epochs. peer_seconds: after which hls4ml's API is offered no further level."""

    model: Path
    folder: Path
    reuse: bool = False
    share: float = 1.0
    peer_seconds: float = 180.0


class Bench:
    """The events, the source network, and what is made and measured of them."""

    def __init__(self, asked: Asked, data: Path, hears: Listener) -> None:
        self.folder, self.model = asked.folder.resolve(), asked.model.resolve()
        self.reuse, self.share, self.peer_seconds = asked.reuse, asked.share, asked.peer_seconds
        self.network = read_network(asked.model)
        shape, outputs = self.network.input_shape, self.network.outputs
        shares = Split(test=0.4, validation=0.1)
        self.data = read_dataset(data, shape, outputs, shares, SEED)
        self.reference = Reference.of(self.network, self.data)
        self.answers = self.network.logits(self.data.x_train)
        self.config = load_config(None)
        self.watch, self.hears = Stopwatch(hears), hears
        self.seconds: dict[str, float] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events = self.folder / "events.npz"
        self.data.save(self.events)

    def scaled(self, epochs: int) -> int:
        """A number of epochs, at the share that was asked for."""
        return max(round(epochs * self.share), 2)

    def train(self, name: str, *steps: Step) -> list[Path]:
        """Run steps of a recipe and return the model files they leave."""
        folder = self.folder / name
        done = sorted([*folder.glob("*.h5"), *folder.glob("*.keras")])
        if self.reuse and done:
            return done
        folder.mkdir(exist_ok=True)
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            recipe = CompressRecipe(seed=SEED, steps=steps)
            runner = StepRunner(
                network=self.network,
                data=self.data,
                answers=self.answers,
                reference=self.reference,
                recipe=recipe,
                config=self.config,
                folder=folder,
                scratch=Path(scratch),
                watch=self.watch,
                listener=self.hears,
                details={},
            )
            made = [prototype.file for prototype in runner.run()]
        self.seconds[name] = time.perf_counter() - begin
        return made

    def optimize(self, name: str, source: Path, objective: str) -> list[tuple[float, Path]]:
        """Run hls4ml's API on a model file: a sparsity and a model for each accepted level."""
        folder = self.folder / name
        record = folder / "levels.json"
        if not (self.reuse and record.exists()):
            folder.mkdir(exist_ok=True)
            epochs = str(self.scaled(PEER_EPOCHS))
            arguments = (
                *(sys.executable, str(PEER), str(source), str(self.events), str(folder)),
                *(objective, epochs, str(self.peer_seconds)),
            )
            with self.watch.stage(name, f"hls4ml's API, {objective}"):
                done = run(Command(arguments, folder, "run hls4ml's optimization API"))
            self.seconds[name] = done.seconds
            lines = done.output.splitlines()
            write_text(record, next(line for line in reversed(lines) if line.startswith("{")))
        levels = json.loads(record.read_text(encoding="utf-8"))["levels"]
        return [(level["sparsity"], folder / level["file"]) for level in levels]

    def on_masks(self, name: str, pruned: Path) -> Path:
        """Quantize a pruned float network to the same bits, its zeros kept, and train it."""
        file = self.folder / name / "quantized.h5"
        if self.reuse and file.exists():
            return file
        begin, network = time.perf_counter(), read_network(pruned)
        values, epochs = self.data.x_train, self.scaled(FineTune().epochs)
        types = uniform_types(
            network, values, input_grid(network, values, FineTune().input_bits),
            weight_bits=BITS, activation_bits=BITS, overflow=FineTune().overflow,
        )  # fmt: skip
        masks = {layer.name: layer.kernel != 0 for layer in network.dense}
        settings = FineTuning(epochs=epochs, learning_rate=FineTune().learning_rate, seed=SEED)
        fine_tune(network, types, self.data, settings, file, masks, self.answers, self.hears)
        self.seconds[f"{name}, quantized"] = time.perf_counter() - begin
        return file

    def measure(self, file: Path, name: str, origin: str) -> Design:
        """Read a model file by the front end; cost and accuracy of its graph."""
        with self.watch.stage("measure", f"measure {name}") as stage:
            with tempfile.TemporaryDirectory() as folder:
                work = Path(folder)
                with open_model(file, self.config, work) as frontend:
                    graph, _ = frontend.convert(self.config, work / "hls", "candidate")
            judged = judge(
                Prototype(name, file, graph, origin),
                self.reference,
                self.data,
                find_metric(METRIC, self.data.classes),
                self.config,
                confidence=0.95,
                seed=SEED,
            )
            point = to_point(judged, str(file))
            stage.note = f"{point.lut:,.0f} LUT, {point.metric:.4f}"
        return Design(point, graph_scores(graph, self.data.x_test))


def ours(bench: Bench, front: Path | None) -> list[Design]:
    """The points of a search, or of the package's recipe on small networks."""
    if front is not None:
        _, points = front_from_json((front / "front.json").read_text(encoding="utf-8"))
        files = [front / point.model for point in pareto_front(points)]
    else:
        step = load_recipe("balanced").steps[-1]
        assert isinstance(step, Hgq)
        epochs, files = bench.scaled(step.epochs), []
        for hidden in HIDDEN:
            own = step.model_copy(update={"epochs": epochs, "hidden": hidden})
            files += bench.train("hgq_" + "-".join(map(str, hidden)), own)
    return [bench.measure(file, f"{file.parent.name}/{file.stem}", "trigger_ml") for file in files]


def uniform(bench: Bench) -> list[Design]:
    """Six bits everywhere and three quarters of the weights zero, in three sizes."""
    step = FineTune(
        weight_bits=BITS, activation_bits=BITS, sparsity=SPARSITY,
        epochs=bench.scaled(FineTune().epochs),
    )  # fmt: skip
    found = []
    for keep in SIZES:
        steps: tuple[Step, ...] = (step,) if keep == 1 else (PruneNeurons(keep=keep), step)
        (file,) = bench.train(f"uniform_{keep:g}", *steps)
        found.append(bench.measure(file, f"uniform {_sizes(file)}", "uniform"))
    return found


def optimized(bench: Bench) -> list[Design]:
    """hls4ml's API on the 6-bit network in two sizes, and on the float network for DSPs.

    Its objectives for parameters and for flip-flops rank the weights alike where all have the
    same width, so each is used on one size.
    """
    dense = FineTune(
        weight_bits=BITS, activation_bits=BITS, sparsity=0.0,
        epochs=bench.scaled(FineTune().epochs),
    )  # fmt: skip
    (full,) = bench.train("dense_1", dense)
    (half,) = bench.train("dense_0.5", PruneNeurons(keep=0.5), dense)
    found = []
    for name, source, objective in (
        ("parameters", full, "ParameterEstimator"),
        ("ff", half, "VivadoFFEstimator"),
    ):
        for sparsity, file in bench.optimize(name, source, objective):
            title = f"{objective} {_sizes(source)}, {sparsity:.0%}"
            found.append(bench.measure(file, title, "hls4ml"))
    # Six bits are below what this objective counts as a DSP, so it gets the float network.
    levels = bench.optimize("dsp", bench.model, "VivadoDSPEstimator")
    if levels:
        sparsity, pruned = levels[-1]
        file = bench.on_masks("dsp", pruned)
        title = f"VivadoDSPEstimator {_sizes(file)}, {sparsity:.0%}, then 6 bits"
        found.append(bench.measure(file, title, "hls4ml"))
    return found


def _sizes(file: Path) -> str:
    return "-".join(str(layer.kernel.shape[1]) for layer in read_network(file).dense[:-1])
