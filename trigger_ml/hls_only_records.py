"""What a build directory without RTL holds, written and read back.

model/<file>          the model file as given
config.yaml           the configuration, complete
vectors.npz           input codes and where they come from, labels, the model's outputs (source) and
                      those of the C simulation (csim)
hls/                  the hls4ml project
report.json, summary.md
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from trigger_ml.artifacts import Segment, Vectors
from trigger_ml.config import Config
from trigger_ml.errors import BuildError
from trigger_ml.frontends.formats import model_files

__all__ = ["HLS_FOLDER", "StoredHls", "load_hls_build", "save_hls_build"]

HLS_FOLDER: Final = "hls"
VECTORS_FILE: Final = "vectors.npz"


@dataclass(frozen=True, slots=True, eq=False)
class StoredHls:
    """A build without RTL, read back. source, csim: outputs, shape (vectors, outputs)."""

    config: Config
    model: Path
    vectors: Vectors
    source: NDArray[np.float64]
    csim: NDArray[np.float64]


def save_hls_build(
    stage: Path,
    model: Path,
    config: Config,
    vectors: Vectors,
    source: NDArray[np.float64],
    csim: NDArray[np.float64],
) -> None:
    """Write everything but the report. The project stands in the stage already."""
    (stage / "model").mkdir()
    for file in model_files(model):
        shutil.copyfile(file, stage / "model" / file.name)
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    (stage / "config.yaml").write_text(text, encoding="utf-8")
    arrays: dict[str, NDArray[Any]] = {
        "inputs": vectors.codes,
        "seed": np.array(vectors.seed),
        "segment_names": np.array([segment.name for segment in vectors.segments]),
        "segment_stops": np.array([segment.stop for segment in vectors.segments]),
        "source": source,
        "csim": csim,
    }
    if vectors.labels is not None:
        arrays["labels"] = vectors.labels
    np.savez_compressed(stage / VECTORS_FILE, allow_pickle=False, **arrays)


def load_hls_build(build: Path) -> StoredHls:
    """Read such a build back. Raises BuildError when a part is missing or cannot be read."""
    try:
        config = Config.model_validate(yaml.safe_load((build / "config.yaml").read_text("utf-8")))
        with np.load(build / VECTORS_FILE, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        files = sorted((build / "model").iterdir())
        models = [file for file in files if file.suffix == ".json"] or files
        vectors = _vectors(arrays)
        return StoredHls(config, models[0].resolve(), vectors, arrays["source"], arrays["csim"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BuildError(
            f"{build} is not a whole build of trigger-ml: {reason}; compile the model again"
        ) from error


def _vectors(arrays: Mapping[str, NDArray[Any]]) -> Vectors:
    stops = [int(stop) for stop in arrays["segment_stops"]]
    names = [str(name) for name in arrays["segment_names"]]
    segments = tuple(Segment(*item) for item in zip(names, [0, *stops[:-1]], stops, strict=True))
    labels = arrays.get("labels")
    return Vectors(
        arrays["inputs"].astype(np.int64),
        segments,
        int(arrays["seed"]),
        None if labels is None else labels.astype(np.int64),
    )
