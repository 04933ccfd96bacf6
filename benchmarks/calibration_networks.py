"""Networks of the calibration study, made from their names: the same name is the same network."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.calibration_makers import (
    committed,
    dense,
    edges,
    flat,
    merged,
    stream,
    tables,
)
from trigger_ml.config import Config, load_config
from trigger_ml.frontends.client import firmware_graph
from trigger_ml.graph.model import FixedGraph

__all__ = ["NETWORKS", "Network", "held_out"]

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Network:
    """build: from the name's own random numbers to a graph. settings: of the configuration, on
    top of its file if there is one."""

    name: str
    family: str
    build: Callable[[np.random.Generator], FixedGraph]
    settings: Mapping[str, object] = field(default_factory=dict)
    config_file: Path | None = None

    def config(self) -> Config:
        """The configuration: the default one but for its file and the settings."""
        return load_config(self.config_file, dict(self.settings))

    def graph(self) -> FixedGraph:
        """The network with its decision; the same one each time."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        return firmware_graph(self.build(random), self.config())


def held_out(name: str) -> bool:
    """Whether a network takes no part in the fit: SHA-256 of its name ends in an odd bit."""
    return hashlib.sha256(name.encode()).digest()[-1] % 2 == 1


def _dense_networks() -> Iterator[Network]:
    layers = (
        ((16, 16, 5), (4, 6), 0.5),
        ((16, 32, 5), (6, 8), 0.75),
        ((16, 64, 32, 32, 5), (6, 6), 0.9),
        ((16, 32, 16, 5), (3, 5), 0.5),
        ((8, 8, 8, 2), (8, 12), 0.3),
        ((32, 16, 8, 4), (4, 4), 0.7),
        ((12, 24, 3), (5, 7), 0.0),
        ((16, 24, 24, 5), (2, 3), 0.3),
        ((64, 16, 4), (3, 3), 0.8),
        ((20, 40, 2), (2, 4), 0.5),
        ((8, 16, 16, 16, 8), (5, 6), 0.8),
        ((10, 12, 1), (8, 10), 0.5),
        ((16, 48, 5), (3, 6), 0.85),
        ((24, 24, 24, 24, 4), (4, 5), 0.85),
        ((16, 8, 8, 5), (7, 9), 0.6),
        ((16, 16, 16, 16, 16), (4, 8), 0.7),
        ((8, 64, 2), (4, 6), 0.6),
        ((30, 10, 10), (6, 4), 0.5),
        ((16, 5), (8, 12), 0.0),
        ((40, 8), (4, 3), 0.2),
        ((16, 32, 32, 5), (5, 6), 0.9),
        ((16, 20, 20, 5), (4, 12), 0.8),
    )
    for sizes, bits, zeros in layers:
        name = f"dense_{'x'.join(map(str, sizes))}_w{bits[0]}a{bits[1]}_z{zeros:.0%}".rstrip("%")
        yield Network(name, "dense", dense(sizes, bits, zeros))


def _decided_networks() -> Iterator[Network]:
    for sizes, bits, zeros, tail in (
        ((16, 16, 5), (4, 5), 0.6, "argmax"),
        ((12, 12, 12, 8), (3, 4), 0.5, "argmax"),
        ((16, 24, 6), (5, 6), 0.8, "argmax"),
        ((16, 12, 4), (4, 6), 0.6, "threshold"),
        ((20, 20, 10), (3, 5), 0.7, "threshold"),
    ):
        name = f"{tail}_{'x'.join(map(str, sizes))}_w{bits[0]}a{bits[1]}"
        yield Network(name, "dense", dense(sizes, bits, zeros, tail))
    for sizes, bits, zeros in (
        ((16, 16, 16, 5), (4, 8), 0.6),
        ((16, 32, 16, 5), (3, 6), 0.7),
        ((8, 24, 24, 3), (5, 5), 0.8),
        ((16, 12, 8), (6, 8), 0.4),
    ):
        name = f"each_{'x'.join(map(str, sizes))}_w{bits[0]}a{bits[1]}"
        yield Network(name, "dense", dense(sizes, bits, zeros, each=True))


def _clocks() -> Iterator[Network]:
    slow = {"target.clock_mhz": 200.0}
    fast = {"target.clock_mhz": 480.0}
    yield Network("slow_16x16x5_w4a6", "dense", dense((16, 16, 5), (4, 6), 0.6), slow)
    yield Network("fast_16x16x5_w4a6", "dense", dense((16, 16, 5), (4, 6), 0.6), fast)
    yield Network("slow_24x16x8_w3a8", "dense", dense((24, 16, 8), (3, 8), 0.7), slow)


def _flat_convolutions() -> Iterator[Network]:
    for image, filters, bits, zeros, pool in (
        ((5, 5, 1), 3, (4, 4), 0.3, False),
        ((6, 6, 1), 2, (3, 5), 0.4, True),
        ((4, 4, 2), 4, (3, 3), 0.5, False),
        ((6, 4, 1), 4, (4, 3), 0.6, True),
        ((1, 12, 2), 4, (4, 5), 0.5, False),
        ((1, 16, 1), 3, (5, 6), 0.4, True),
        ((7, 7, 1), 2, (3, 3), 0.4, True),
        ((5, 6, 2), 3, (3, 4), 0.6, True),
    ):
        name = f"flat_{'x'.join(map(str, image))}_f{filters}_w{bits[0]}a{bits[1]}"
        made = flat(image, filters, bits, zeros, pool)
        yield Network(name + "_pool" * pool, "convolution", made)


def _streams() -> Iterator[Network]:
    for image, counts, bits, zeros, columns in (
        ((2, 24, 1), (4, 1), (3, 3), 0.3, 1),
        ((4, 16, 2), (3, 1), (2, 2), 0.3, 2),
        ((3, 20, 3), (4, 4, 1), (3, 4), 0.7, 1),
        ((2, 32, 1), (6, 2), (4, 5), 0.6, 4),
        ((4, 12, 2), (4, 2), (4, 4), 0.7, 1),
        ((1, 40, 2), (8, 4, 1), (3, 3), 0.6, 1),
        ((2, 20, 4), (3, 2), (5, 4), 0.8, 1),
        ((6, 16, 1), (2, 1), (2, 3), 0.2, 1),
    ):
        sizes = "x".join(map(str, image))
        name = f"stream_{sizes}_f{'x'.join(map(str, counts))}_w{bits[0]}a{bits[1]}_c{columns}"
        settings = {"firmware.columns_per_clock": columns}
        yield Network(name, "stream", stream(image, counts, bits, zeros), settings)


def _edge_networks() -> Iterator[Network]:
    whole = {"firmware.io_type": "io_parallel"}
    for nodes, width, bits, zeros, gate, at_once in (
        (4, 5, (3, 3), 0.3, False, True),
        (5, 5, (4, 4), 0.4, False, True),
        (6, 4, (3, 4), 0.3, False, True),
        (4, 6, (4, 3), 0.4, True, True),
        (5, 5, (3, 5), 0.5, True, True),
        (6, 8, (4, 4), 0.5, False, False),
        (8, 8, (3, 3), 0.5, False, False),
        (12, 6, (4, 5), 0.6, False, False),
    ):
        name = f"edges_{nodes}_{width}_w{bits[0]}a{bits[1]}"
        name += "_gate" * gate + ("_flat" if at_once else "_stream")
        made = edges(nodes, width, bits, zeros, gate)
        yield Network(name, "edges", made, whole if at_once else {})


def _merges() -> Iterator[Network]:
    for kind, size, bits, zeros in (
        ("add", 16, (4, 5), 0.6),
        ("add", 12, (3, 8), 0.5),
        ("subtract", 16, (4, 4), 0.6),
        ("maximum", 16, (4, 6), 0.7),
        ("maximum", 20, (3, 4), 0.6),
        ("multiply", 12, (4, 3), 0.6),
        ("multiply", 12, (3, 4), 0.6),
        ("multiply", 8, (4, 7), 0.5),
        ("multiply", 6, (3, 10), 0.3),
    ):
        name = f"{kind}_{size}_w{bits[0]}a{bits[1]}"
        yield Network(name, "merge", merged(kind, size, bits, zeros))


def _table_networks() -> Iterator[Network]:
    for size, bits, zeros, address, softmax in (
        (16, (4, 5), 0.6, 6, False),
        (12, (4, 6), 0.5, 8, False),
        (8, (3, 4), 0.3, 10, False),
        (12, (3, 4), 0.5, 7, True),
        (16, (3, 5), 0.6, 5, True),
    ):
        name = f"table{address}_{size}_w{bits[0]}a{bits[1]}" + "_softmax" * softmax
        yield Network(name, "table", tables(size, bits, zeros, address, softmax))


def _models() -> Iterator[Network]:
    for name in ("tiny_qkeras", "tiny_graph"):
        yield Network(name, "model", committed(f"tests/data/{name}.h5"))
    for name in ("jet_tagger", "muon_segmenter", "edge_classifier"):
        made = committed(f"models/{name}/model.h5")
        config = ROOT / "models" / name / "compile.yaml"
        yield Network(name, "model", made, config_file=config)


NETWORKS: Final = (
    *_dense_networks(),
    *_decided_networks(),
    *_clocks(),
    *_flat_convolutions(),
    *_streams(),
    *_edge_networks(),
    *_merges(),
    *_table_networks(),
    *_models(),
)
"""All of the study, small ones and large ones, every family."""
