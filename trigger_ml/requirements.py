"""What a command needs of its configuration, its events and its model, told in one list.

Each is checked without the others as far as that goes, so that nothing is found out only after
something else was put right. Where all is well nothing is read twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trigger_ml.config import Config, load_config, parse_clock
from trigger_ml.errors import DataError, ToolMissingError
from trigger_ml.events import input_problems, read_arrays, require_inputs, require_readable
from trigger_ml.gathering import Gathering
from trigger_ml.simulate.rtl import simulator
from trigger_ml.synth.devices import Device, find_device
from trigger_ml.synth.vendor_run import require_vendor
from trigger_ml.toolrun import require_tool

if TYPE_CHECKING:
    from trigger_ml.frontends.client import Frontend

__all__ = [
    "config_for",
    "opened_model",
    "require_events",
    "require_programs",
    "required_device",
]


def config_for(
    model: Path,
    file: Path | None,
    overrides: Mapping[str, Any],
    data: Path | None = None,
    clock: str | None = None,
) -> Config:
    """The configuration of a YAML file and options, as :func:`load_config` reads it.

    clock: text of an option. Raises BlockedError where something is wrong with it: with that, and
    with whatever the model file cannot be with any configuration.
    """
    found = Gathering()
    options = dict(overrides)
    if clock is not None:
        options["target.clock_mhz"] = found.run(lambda: parse_clock(clock))
    config = found.run(lambda: load_config(file, options))
    if config is not None and not found.blockers:
        return config
    # The readers of models take longer to import than to read most models.
    from trigger_ml.frontends.client import check_file

    if not _gets_types(model, data):
        found.run(lambda: check_file(model))
    found.finish()
    raise AssertionError("what was found is raised")


def required_device(model: Path, config: Config, data: Path | None) -> Device:
    """The device that the configuration names, where there are events to be read, if any.

    Raises BlockedError where one of the two is wrong, with what is wrong with the model too.
    """
    found = Gathering()
    device = found.run(lambda: find_device(config.target.part))
    if data is not None:
        found.run(lambda: require_readable(data))
    if found.blockers and not _gets_types(model, data):
        from trigger_ml.frontends.client import check_model

        found.run(lambda: check_model(model, config))
    found.finish()
    assert device is not None
    return device


def opened_model(model: Path, config: Config, work: Path, data: Path | None) -> Frontend:
    """The loaded model, from :func:`open_model`.

    Raises BlockedError where it cannot be firmware, with what is wrong with the events too.
    """
    from trigger_ml.frontends.client import open_model

    found = Gathering()
    frontend = found.run(lambda: open_model(model, config, work))
    if frontend is None and data is not None:
        found.run(lambda: require_events(data))
    found.finish()
    assert frontend is not None
    return frontend


def _gets_types(model: Path, data: Path | None) -> bool:
    """Whether a float model gets types from events, and is read in another way for that."""
    if data is None:
        return False
    from trigger_ml.float_models import is_float

    return is_float(model)


def require_events(path: Path) -> None:
    """Raise DataError with what is wrong with events whatever the model takes."""
    inputs = require_inputs(path, read_arrays(path))
    problems = input_problems(path, inputs, int(np.prod(inputs.shape[1:], dtype=np.int64)))
    if problems:
        raise DataError(problems)


def require_programs(config: Config) -> None:
    """Look for every program that a compilation needs; raises ToolMissingError naming all.

    Raises ConfigError where a vendor tool cannot do what is asked of it.
    """
    require_vendor(config.verify.engine, config.target.part, config.firmware.backend)
    missing = []
    for program in ("g++", "bash"):
        try:
            require_tool(program, "build the C simulation")
        except ToolMissingError as error:
            missing.append(str(error))
    try:
        simulator(config.verify.simulator).version()
    except ToolMissingError as error:
        missing.append(str(error))
    if missing:
        raise ToolMissingError("\n".join(missing))
