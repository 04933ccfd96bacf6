"""Where HGQ2 is installed, and how a process is started that can import it.

HGQ2's wheel brings a top-level package ``qkeras`` of its own, which would overwrite QKeras in
the same site-packages. So it stands in a folder by itself, and only processes started with
:func:`worker_environment` see that folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from trigger_ml.errors import ToolMissingError

__all__ = [
    "HGQ2_VERSION",
    "hgq_folder",
    "install_command",
    "installed_version",
    "worker_environment",
]

HGQ2_VERSION: Final = "0.2.0"
VARIABLE: Final = "TRIGGER_ML_HGQ2"


def hgq_folder() -> Path:
    """The folder that HGQ2 is, or should be, installed in: $TRIGGER_ML_HGQ2 or the default."""
    asked = os.environ.get(VARIABLE)
    return Path(asked) if asked else Path(sys.prefix) / "share" / "trigger_ml" / "hgq2"


def install_command() -> str:
    """What installs HGQ2 where it is looked for."""
    return f"{sys.executable} -m pip install --no-deps --target {hgq_folder()} HGQ2=={HGQ2_VERSION}"


def installed_version() -> str | None:
    """Version of the HGQ2 in its folder, or None where it is not there."""
    folder = hgq_folder()
    if not (folder / "hgq" / "__init__.py").is_file():
        return None
    names = [path.name for path in folder.glob("hgq2-*.dist-info")]
    return names[0].split("-")[1].removesuffix(".dist") if names else "unknown"


def worker_environment(backend: str = "jax") -> dict[str, str]:
    """Environment of a process that imports HGQ2 and Keras 3, on the CPU, quietly.

    backend: of Keras. "jax" trains; "numpy" computes a forward pass without compiling anything,
    and so is ready in a tenth of the time.
    Raises ToolMissingError, with the command that installs it, when HGQ2 is not there.
    """
    folder = hgq_folder()
    if installed_version() is None:
        raise ToolMissingError(
            f"HGQ2 is needed for this model, and {folder} does not hold it; install it with\n"
            f"    {install_command()}\n"
            f"or set {VARIABLE} to the folder that holds it"
        )
    before = os.environ.get("PYTHONPATH")
    return {
        "PYTHONPATH": os.pathsep.join([str(folder.resolve()), *([before] if before else [])]),
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
