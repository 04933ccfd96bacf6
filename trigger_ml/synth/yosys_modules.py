"""The stages of a pipeline in Verilog text, cut out so that each can be mapped by itself.

A stage is a module that the core instantiates without parameters. Its own text and that of the
modules below it decide what it is mapped to, under whatever name: so two stages of the same text
are one, in this design or in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import RtlProject

__all__ = ["STAGE", "Split", "Stage", "read_sources", "renamed", "split_stages"]

STAGE: Final = "trigger_ml_stage"
"""The name that every stage has while it is mapped."""
MODULE: Final = re.compile(r"^[ \t]*module[ \t]+(\w+)\b.*?\bendmodule\b", re.DOTALL | re.M)
INSTANCE: Final = re.compile(r"^[ \t]*(\w+)[ \t]+\w+[ \t]*\(", re.M)
WORD: Final = re.compile(r"\b[A-Za-z_]\w*")
MACRO: Final = re.compile(r"`(?!timescale\b|default_nettype\b)\w+")
"""Text that means something else elsewhere."""
COMMENT: Final = re.compile(r"//(?!.*(?:synopsys|synthesis)).*")
ATTRIBUTE: Final = re.compile(r"\*\)\s*$")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. name: in the design. text: Verilog of it, named STAGE, and of all below it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Split:
    """A design in parts. stages: in the order of the pipeline. rest: text of every source, in
    order, without them and without what only they need."""

    stages: tuple[Stage, ...]
    rest: Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    source: Path
    start: int
    end: int
    text: str


def read_sources(project: RtlProject) -> dict[Path, str]:
    """Text of every source, in order."""
    return {path: path.read_text(encoding="utf-8", errors="replace") for path in project.sources}


def split_stages(top: str, core: str, sources: Mapping[Path, str]) -> Split:
    """Cut the stages of the module ``core`` out of the text of a design, and what only they need.

    A design is left whole where cutting could change it: macros, attributes before a module, a
    module that is defined twice.
    """
    whole = Split((), dict(sources))
    modules = [found for path, text in sources.items() for found in _modules(path, text)]
    by_name = {module.name: module for module in modules}
    if not {top, core} <= by_name.keys() or len(by_name) < len(modules):
        return whole
    if any(MACRO.search(text) or path.suffix == ".sv" for path, text in sources.items()):
        return whole
    named = dict.fromkeys(INSTANCE.findall(by_name[core].text))
    stages = [by_name[name] for name in named if name in by_name and name != core]
    if any(ATTRIBUTE.search(sources[item.source][: item.start]) for item in modules):
        return whole
    below = {item.name: _below(item, by_name) for item in stages}
    if any(core in names or names & below.keys() for names in below.values()):
        return whole
    cut = tuple(
        Stage(
            item.name,
            "\n".join(
                [
                    *(module.text for module in modules if module.name in below[item.name]),
                    re.sub(rf"\b{re.escape(item.name)}\b", STAGE, item.text),
                ]
            ),
        )
        for item in stages
    )
    kept = _below(by_name[top], {k: v for k, v in by_name.items() if k not in below}) | {top}
    gone = [module for module in modules if module.name not in kept]
    return Split(cut, {path: _without(text, path, gone) for path, text in sources.items()})


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Verilog with other names for modules, where they are defined and instantiated.

    A net or a port may share its name with a module and keeps it. Comments go, which name the
    design too, but for those that tell a synthesis something.
    """
    wanted = "|".join(map(re.escape, names))
    place = re.compile(rf"((?:^|;|\bmodule\b)\s*)({wanted})(?=\s+\w+\s*\(|\s*#?\s*\()", re.M)
    return place.sub(lambda found: found[1] + names[found[2]], COMMENT.sub("", text))


def _modules(path: Path, text: str) -> Iterator[_Module]:
    for match in MODULE.finditer(text):
        yield _Module(match.group(1), path, match.start(), match.end(), match.group())


def _below(module: _Module, by_name: Mapping[str, _Module]) -> set[str]:
    """Names of all modules that one instantiates, and those instantiate in turn."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        words = set(WORD.findall(waiting.pop().text)) & by_name.keys()
        new = words - found - {module.name}
        found |= new
        waiting += [by_name[name] for name in new]
    return found


def _without(text: str, path: Path, gone: Sequence[_Module]) -> str:
    for item in sorted(gone, key=lambda item: -item.start):
        if item.source == path:
            text = text[: item.start] + text[item.end :]
    return text
