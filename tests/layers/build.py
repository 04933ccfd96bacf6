"""Write the model files of a group of cases: ``python -m tests.layers.build GROUP FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.layers.case import KERAS_2, cases


def main(group: str, folder: Path) -> None:
    """Build every case whose file is not there yet."""
    todo = [case for case in cases(group) if not (folder / case.file).exists()]
    if any(case.kind in KERAS_2 for case in todo):
        from trigger_ml.keras2 import bind_keras

        bind_keras()
    for case in todo:
        case.build(folder / case.file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
