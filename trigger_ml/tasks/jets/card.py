"""The data card: what a jet sample is, so that anyone can judge it and make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.jets.names import (
    CLASSES,
    CONSTITUENT_COLUMNS,
    CONSTITUENTS,
    FEATURES,
    KINEMATICS,
)

__all__ = ["ContentDigest", "DataCard", "card_path"]

SCHEMA = 1


def card_path(sample: Path) -> Path:
    """Where the card of a sample lies: ``<sample>.card.json``."""
    return sample.with_name(sample.name + ".card.json")


class ContentDigest:
    """SHA-256 of arrays as they are streamed to disk, one per dataset.

    It covers values, types and row shapes, not the HDF5 file: another chunking, compression or
    library version gives the same digest.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, Any] = {}

    def update(self, name: str, rows: NDArray[Any]) -> None:
        """Add rows (any number of them) to one dataset's digest."""
        little = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
        if name not in self._hashes:
            self._hashes[name] = hashlib.sha256(f"{little.dtype.str}{rows.shape[1:]}".encode())
        self._hashes[name].update(little.tobytes())

    def digests(self) -> dict[str, str]:
        """Hexadecimal SHA-256 of each dataset."""
        return {name: value.hexdigest() for name, value in sorted(self._hashes.items())}


@dataclass(frozen=True, slots=True)
class DataCard:
    """Generator, versions, settings, counts and digest of one sample.

    counts: jets of each class. settings: units are in the names. digests: SHA-256 of each
    dataset's content. source: the digest of the sample this one was drawn from, or empty.
    """

    generator: str
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    seed: int
    chunk_jets: int
    counts: Mapping[str, int]
    digests: Mapping[str, str]
    source: str = ""
    classes: tuple[str, ...] = CLASSES
    features: tuple[str, ...] = FEATURES
    constituents: tuple[str, ...] = CONSTITUENT_COLUMNS
    constituents_kept: int = CONSTITUENTS
    kinematics: tuple[str, ...] = KINEMATICS
    schema: int = field(default=SCHEMA)

    @property
    def jets(self) -> int:
        """Jets of all classes together."""
        return sum(self.counts.values())

    @property
    def digest(self) -> str:
        """One SHA-256 for the whole content."""
        joined = "".join(f"{name}:{value};" for name, value in sorted(self.digests.items()))
        return hashlib.sha256(joined.encode()).hexdigest()

    def to_json(self) -> str:
        """JSON text, sorted, with the totals that follow from the rest."""
        return json.dumps(
            {**asdict(self), "jets": self.jets, "digest": self.digest}, indent=2, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str, where: str) -> DataCard:
        """Read a card; ``where`` names it in errors.

        Raises DataError for text that is no card, or of a schema this version does not know.
        """
        try:
            raw = json.loads(text)
            if raw["schema"] != SCHEMA:
                raise ValueError(
                    f"the card has schema {raw['schema']}, this version reads {SCHEMA}"
                )
            known = {name: raw[name] for name in cls.__dataclass_fields__}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                Blocker(where, f"is not a data card of a jet sample: {error}")
            ) from None
        tuples = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **tuples})
