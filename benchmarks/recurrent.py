"""How close hls4ml's C simulation of recurrent layers comes to the model.

    python -m benchmarks.recurrent [--vectors 10000]

Each is a tiny network with random weights (4 steps of 3 features, 3 units, 3 classes), compiled
without RTL. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.recurrent_models import SIGMOID, TANH, write_h5
from trigger_ml.config import load_config
from trigger_ml.hls_only import compile_hls_only
from trigger_ml.pipeline import Request

__all__ = ["main"]

QUANTIZED: Final = {"activation": TANH, "recurrent_activation": SIGMOID}
CASES: Final[tuple[tuple[str, str, int, dict[str, Any]], ...]] = (
    ("GRU", "Vitis", 12, {}),
    ("QLSTM", "Vitis", 12, QUANTIZED),
    ("SimpleRNN", "Quartus", 12, {}),
    ("GRU", "Vitis", 14, {}),
)
"""Class, backend, address bits of the tables, options of the layer."""


def _row(kind: str, backend: str, bits: int, options: dict[str, Any], vectors: int) -> str:
    config = load_config(
        None,
        {
            "firmware.rtl": False,
            "firmware.backend": backend,
            "target.part": "Arria10" if backend == "Quartus" else None,
            "firmware.input_type": "fixed<8,3>",
            "firmware.table_bits": bits,
            "verify.events": vectors,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        model = write_h5(Path(folder) / "model.h5", kind, **options)
        report = compile_hls_only(Request(model, config, output=Path(folder) / "build")).report
    row = report.judged
    assert row is not None
    assert row.largest is not None
    assert row.error is not None
    assert row.agree is not None
    return (
        f"| {kind} | {backend} | {2**bits:,} | {row.largest:.4f} | {row.error:.2%} | "
        f"{row.agree:,} of {row.vectors:,} ({row.agree / row.vectors:.2%}) |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=10_000)
    vectors = parser.parse_args().vectors
    print("| layer | backend | table entries | largest difference | error | same decision |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        print(_row(*case, vectors), flush=True)


if __name__ == "__main__":
    main()
