"""YAML files that hold settings: reading them, checking them, and saying what is wrong.

Every settings file is a tree of pydantic models. An unknown key is an error that names the
nearest known one; all problems of a file are reported at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trigger_ml.errors import BlockedError, Blocker, ConfigError
from trigger_ml.graph.types import FixedType

__all__ = [
    "FixedTypeText",
    "check_settings",
    "read_settings",
    "read_yaml",
    "to_yaml",
    "with_overrides",
]

LONGEST: Final = 80
"""Characters of a wrong value that a message shows."""

Settings = TypeVar("Settings", bound=BaseModel)


def _fixed_type(text: str) -> str:
    try:
        return str(FixedType.parse(text))
    except BlockedError as error:
        raise ValueError(error.blockers[0].what + "; " + error.blockers[0].fix) from error


FixedTypeText = Annotated[str, AfterValidator(_fixed_type)]
"""Text such as ``fixed<16,6>``."""


def read_settings(kind: type[Settings], path: Path) -> Settings:
    """Read a YAML file. Raises ConfigError listing every wrong key and value."""
    return check_settings(kind, read_yaml(kind, path), str(path))


def read_yaml(kind: type[BaseModel], path: Path) -> dict[str, Any]:
    """Content of a YAML file that should hold ``kind``, unchecked.

    Raises ConfigError for a file that cannot be read or holds no keys.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(Blocker(str(path), f"cannot be read: {error.strerror}")) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(Blocker(str(path), f"is not YAML: {error}")) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        known = ", ".join(kind.model_fields)
        raise ConfigError(Blocker(str(path), "must hold sections with keys", f"one of {known}:"))
    return data


def check_settings(kind: type[Settings], data: Mapping[str, Any], where: str) -> Settings:
    """Settings of plain data. where: what the messages call it.

    Raises ConfigError listing every wrong key and value.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ConfigError([_blocker(kind, where, item) for item in error.errors()]) from error


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with values put on top, keyed "section.key"; None is ignored."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for key, value in overrides.items():
        if value is not None:
            section, name = key.split(".")
            if isinstance(merged.setdefault(section, {}), dict):
                merged[section][name] = value
    return merged


def to_yaml(settings: BaseModel) -> str:
    """YAML text with every key, as :func:`read_settings` reads it."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def _blocker(kind: type[BaseModel], where: str, item: ErrorDetails) -> Blocker:
    key = ".".join(map(str, item["loc"]))
    if item["type"] != "extra_forbidden":
        text = item["msg"].removeprefix("Value error, ")
        found = f"{text}, found {_short(item['input'])}"
        return Blocker(f"{where}: {key}" if key else where, found)
    section = _section(kind, item["loc"][:-1])
    known = list(section.model_fields) if section else []
    near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
    fix = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
    return Blocker(f"{where}: {key}", "there is no such key", fix)


def _section(kind: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel] | None:
    """The model at a place that pydantic reports: keys, positions in a list, tags of a union."""
    candidates: list[type[BaseModel]] = [kind]
    for step in place:
        if isinstance(step, int):
            continue
        tagged = [model for model in candidates if _tag(model) == step]
        if tagged:
            candidates = tagged
            continue
        fields = [m.model_fields[step] for m in candidates if step in m.model_fields]
        candidates = [model for field in fields for model in _models(field.annotation)]
    return candidates[0] if candidates else None


def _tag(model: type[BaseModel]) -> str | None:
    """The value of the field ``step``, by which the members of a union are told apart."""
    field = model.model_fields.get("step")
    return None if field is None else field.default


def _models(annotation: Any) -> list[type[BaseModel]]:
    """All pydantic models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < LONGEST else f"{text[: LONGEST - 3]}..."
