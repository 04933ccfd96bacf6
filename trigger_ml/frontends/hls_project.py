"""What every front-end process does with hls4ml: its settings, and the project on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import Blocker, ConfigError

__all__ = ["backend_name", "project_settings", "write_project"]

STAMP: Final = "trigger_ml"


def backend_name(asked: str) -> str:
    """hls4ml's own spelling of a backend. Raises ConfigError when it has none of that name."""
    import hls4ml

    available = hls4ml.backends.get_available_backends()
    by_lower: dict[str, str] = {name.lower(): name for name in available}
    if asked.lower() not in by_lower:
        raise ConfigError(
            Blocker(
                "firmware.backend",
                f"hls4ml has no backend {asked}",
                f"installed are {', '.join(sorted(available))}",
            )
        )
    return by_lower[asked.lower()]


def project_settings(
    request: Mapping[str, Any],
    model: Any,
    model_choice: Mapping[str, Any],
    layers: Mapping[str, Any],
) -> dict[str, Any]:
    """hls4ml's settings of a bit-exact project whose C simulation shows every layer.

    request: directory, top, backend, part, clock_ns, io_type. model: of Keras. model_choice,
    layers: the sections Model and LayerName of hls4ml's configuration.
    """
    from hls4ml.converters import create_config

    config: dict[str, Any] = create_config(
        output_dir=request["directory"],
        project_name=request["top"],
        backend=backend_name(request["backend"]),
        part=request["part"],
        clock_period=request["clock_ns"],
        io_type=request["io_type"],
    )
    config["KerasModel"] = model
    config["TraceOutput"] = True
    config["HLSConfig"] = {
        "Model": {**model_choice, "BitExact": True},
        "LayerName": {name: {**choice, "Trace": True} for name, choice in layers.items()},
    }
    return config


def write_project(project: Any, directory: Path) -> None:
    """Write a converted project, without hls4ml's random stamp, its copy of the model and this
    machine's paths, so that the same model gives the same files.
    """
    project.write()
    stamp = project.config.config["Stamp"]
    (directory / "keras_model.keras").unlink(missing_ok=True)
    for path in (directory / "build_lib.sh", directory / "hls4ml_config.yml"):
        # A stamp of digits alone is quoted in YAML.
        text = path.read_text(encoding="utf-8").replace(f"'{stamp}'", STAMP).replace(stamp, STAMP)
        lines = [line for line in text.splitlines() if not line.startswith("KerasModel:")]
        text = "\n".join(lines) + "\n"
        path.write_text(text.replace(str(directory), "."), encoding="utf-8")
