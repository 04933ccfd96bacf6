"""What a build directory holds, written and read back.

model/<file>          the model file as given
config.yaml           the configuration, complete
network.json          the fixed-point graph that the HLS project computes
firmware.json         the same with the decision after it, which the RTL computes
vectors.npz           input codes, where they come from, labels, expected output codes
hls/                  the hls4ml project
rtl/verilog, rtl/vhdl sources and project.json
vendor/               the Tcl that places and routes the RTL; reports of a vendor tool that ran
report.json, report.html, summary.md
trigger-ml.lock.json
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

from trigger_ml.artifacts import (
    EdgeLabels,
    Hdl,
    HlsProject,
    MaskLabels,
    RtlProject,
    Segment,
    Vectors,
)
from trigger_ml.check.edge_results import EdgeComparison
from trigger_ml.check.lock import LOCK_FILE, Lock, codes_digest, file_digests, resource_counts
from trigger_ml.check.masks import MaskComparison
from trigger_ml.config import Config
from trigger_ml.design import Design, Measurements
from trigger_ml.errors import BuildError
from trigger_ml.frontends.formats import model_files
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import Codes
from trigger_ml.simulate.bench import Bench, read_bench, write_bench
from trigger_ml.simulate.vectors import CORNERS

__all__ = ["PROJECT_FOLDERS", "Stored", "load_build", "make_lock", "save_design", "write_lock"]

PROJECT_FOLDERS: Final = ("hls", "rtl")
VECTORS_FILE: Final = "vectors.npz"
MASK_PREFIX: Final = "mask_"
"""Of the arrays that make up MaskLabels."""
EDGE_PREFIX: Final = "edge_"
"""Of the arrays that make up EdgeLabels."""


Labels = TypeVar("Labels", MaskLabels, EdgeLabels)


@dataclass(frozen=True, slots=True)
class Stored:
    """A build read back from disk."""

    config: Config
    model: Path
    network: FixedGraph
    firmware: FixedGraph
    hls: HlsProject
    rtl: Mapping[Hdl, RtlProject]
    vectors: Vectors
    expected: Codes
    float_scores: NDArray[np.float64] | None
    class_names: tuple[str, ...]


def save_design(stage: Path, model: Path, design: Design, expected: Codes) -> None:
    """Write everything but reports and lock. HLS and RTL stand in the stage already."""
    (stage / "model").mkdir()
    for file in model_files(model):
        shutil.copyfile(file, stage / "model" / file.name)
    config = yaml.safe_dump(design.config.model_dump(mode="json"), sort_keys=False)
    (stage / "config.yaml").write_text(config, encoding="utf-8")
    for name, graph in (("network", design.network), ("firmware", design.firmware)):
        text = json.dumps(graph.to_json(), separators=(",", ":")) + "\n"
        (stage / f"{name}.json").write_text(text, encoding="utf-8")
    _save_vectors(stage / VECTORS_FILE, design, expected)
    count = design.vectors.rows(CORNERS).stop + design.config.verify.cosim_events
    for project in design.rtl.values():
        write_bench(
            Bench(
                project,
                design.vectors.codes[:count],
                expected[:count],
                design.firmware.input_types,
                design.firmware.output_types,
            )
        )


def _save_vectors(path: Path, design: Design, expected: Codes) -> None:
    """Vectors, and the firmware graph's outputs for them."""
    vectors = design.vectors
    arrays: dict[str, NDArray[Any]] = {
        "inputs": vectors.codes,
        "expected": expected,
        "seed": np.array(vectors.seed),
        "segment_names": np.array([segment.name for segment in vectors.segments]),
        "segment_stops": np.array([segment.stop for segment in vectors.segments]),
        "class_names": np.array(design.class_names, dtype=np.str_),
    }
    if vectors.labels is not None:
        arrays["labels"] = vectors.labels
    for prefix, labels in ((MASK_PREFIX, vectors.masks), (EDGE_PREFIX, vectors.edges)):
        if labels is not None:
            parts = {item.name: getattr(labels, item.name) for item in fields(labels)}
            arrays |= {f"{prefix}{k}": np.asarray(v) for k, v in parts.items() if v is not None}
    if design.float_scores is not None:
        arrays["float_scores"] = design.float_scores
    np.savez_compressed(path, allow_pickle=False, **{k: _narrow(v) for k, v in arrays.items()})


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """The smallest signed integer type that holds the values; other kinds unchanged."""
    if array.dtype != np.int64 or array.size == 0:
        return array
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= array.min() and array.max() <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def load_build(build: Path) -> Stored:
    """Read a build back; its paths are absolute, since tools run in folders of their own.

    Raises BuildError when a part is missing or cannot be read.
    """
    build = build.resolve()
    try:
        config = Config.model_validate(yaml.safe_load((build / "config.yaml").read_text("utf-8")))
        network, firmware = (
            FixedGraph.from_json(json.loads((build / f"{name}.json").read_text("utf-8")))
            for name in ("network", "firmware")
        )
        models = _models(build / "model")
        with np.load(build / VECTORS_FILE, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        rtl = {
            hdl: read_bench(build / "rtl" / hdl.value).project
            for hdl in Hdl
            if hdl is Hdl.VERILOG or (build / "rtl" / hdl.value).is_dir()
        }
        vectors = _vectors(arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BuildError(
            f"{build} is not a whole build of trigger-ml: {reason}; compile the model again"
        ) from error
    if len(models) != 1:
        raise BuildError(f"{build / 'model'} holds {len(models)} files, not the one model")
    interface = config.firmware.interface(network.streamable)
    hls = HlsProject(build / "hls", network.name, config.firmware.backend, interface)
    return Stored(
        config,
        models[0],
        network,
        firmware,
        hls,
        rtl,
        vectors,
        arrays["expected"].astype(np.int64),
        arrays.get("float_scores"),
        tuple(str(name) for name in arrays["class_names"]),
    )


def _vectors(arrays: Mapping[str, NDArray[Any]]) -> Vectors:
    stops = [int(stop) for stop in arrays["segment_stops"]]
    starts = [0, *stops[:-1]]
    names = [str(name) for name in arrays["segment_names"]]
    segments = tuple(Segment(*item) for item in zip(names, starts, stops, strict=True))
    labels = arrays.get("labels")
    return Vectors(
        arrays["inputs"].astype(np.int64),
        segments,
        int(arrays["seed"]),
        None if labels is None else labels.astype(np.int64),
        _cell_labels(MaskLabels, MASK_PREFIX, arrays),
        _cell_labels(EdgeLabels, EDGE_PREFIX, arrays),
    )


def _cell_labels(
    kind: type[Labels], prefix: str, arrays: Mapping[str, NDArray[Any]]
) -> Labels | None:
    """MaskLabels or EdgeLabels, where there are any; whole numbers as they were before _narrow."""
    parts: dict[str, Any] = {item.name: arrays.get(f"{prefix}{item.name}") for item in fields(kind)}
    if parts["true"] is None:
        return None
    for name, part in parts.items():
        if part is not None and part.dtype.kind == "i":
            parts[name] = part.astype(np.int64)
    if parts["float_threshold"] is not None:
        parts["float_threshold"] = float(parts["float_threshold"])
    return kind(**parts)


def _models(folder: Path) -> list[Path]:
    """The model files; an architecture in JSON has its weights beside it."""
    files = sorted(folder.iterdir())
    architectures = [file for file in files if file.suffix == ".json"]
    return architectures or files


def make_lock(build: Path, model_sha256: str, design: Design, found: Measurements) -> Lock:
    """The lock of a build whose HLS and RTL stand below ``build``."""
    config = design.config.model_dump(mode="json")
    return Lock(
        model=model_sha256,
        graph=design.firmware.digest,
        vectors=codes_digest(design.vectors.codes),
        outputs=codes_digest(found.graph.codes),
        files=file_digests(build, PROJECT_FOLDERS),
        latency_cycles=found.cosim.latency_cycles,
        ii_cycles=found.cosim.ii_cycles,
        resources=resource_counts(found.synthesis),
        physics=_physics_figures(found),
        versions={
            **{item.origin: item.version for item in found.synthesis},
            found.cosim.simulator: found.cosim.simulator_version,
        },
        config=config,
    )


def _physics_figures(found: Measurements) -> dict[str, float]:
    if found.physics is None:
        return {}
    if isinstance(found.physics, MaskComparison | EdgeComparison):
        return found.physics.lock_figures()
    figures: dict[str, float] = {}
    for witness in found.physics.witnesses:
        figures[f"accuracy {witness.witness}"] = witness.accuracy.value
        for item in witness.classes:
            if item.auc is not None:
                figures[f"auc {item.name} {witness.witness}"] = item.auc.value
    return figures


def write_lock(build: Path, lock: Lock) -> None:
    """Put the lock into a build."""
    (build / LOCK_FILE).write_text(lock.to_text(), encoding="utf-8")
