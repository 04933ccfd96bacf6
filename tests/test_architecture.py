"""Imports point one way, modules have no effects, and public names are declared."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "trigger_ml"
STAGES = ("frontends", "lower", "simulate", "synth", "check", "report")
PROCESSES = (
    "trigger_ml.float_graph.worker",
    "trigger_ml.frontends.default_worker",
    "trigger_ml.frontends.fml_worker",
    "trigger_ml.frontends.hgq_worker",
    "trigger_ml.frontends.onnx_worker",
    "trigger_ml.frontends.worker",
    "trigger_ml.tasks.jets.trainer",
    "trigger_ml.tasks.muons.trainer",
    "trigger_ml.tasks.tracks.trainer",
    "trigger_ml.training.float_trainer",
    "trigger_ml.training.hgq_trainer",
    "trigger_ml.training.qkeras_trainer",
)
"""Modules that are started, not imported."""
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """trigger_ml modules that a file imports when it is itself imported."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    nodes = [n for n in tree.body if not _type_checking(n)]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trigger_ml"):
            assert node.module is not None
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("trigger_ml")}
    return found & {module_name(file) for file in FILES} - {"trigger_ml", module_name(path)}


def _type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


GRAPH = {module_name(path): imports(path) for path in FILES}


def test_imports_are_found() -> None:
    assert "trigger_ml.measure" in GRAPH["trigger_ml.pipeline"]
    assert sum(map(len, GRAPH.values())) > 200


def test_there_is_no_import_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(GRAPH[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())


def test_a_stage_imports_no_other_stage() -> None:
    wrong = []
    for name, targets in GRAPH.items():
        room = name.split(".")[1] if "." in name else ""
        others = {f"trigger_ml.{stage}" for stage in STAGES if stage != room}
        if room in STAGES:
            wrong += [
                f"{name} -> {target}"
                for target in targets
                if any(target == other or target.startswith(f"{other}.") for other in others)
            ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_public_names_are_declared_and_sorted(path: Path) -> None:
    name = module_name(path)
    if name in PROCESSES:
        return
    module = importlib.import_module(name)
    declared = list(getattr(module, "__all__", ()))
    assert all(hasattr(module, item) for item in declared)
    assert len(set(declared)) == len(declared)
    if path.name != "__init__.py":
        assert declared, f"{name} has no __all__"


def test_importing_everything_prints_nothing_and_starts_no_tensorflow() -> None:
    names = [module_name(path) for path in FILES]
    heavy = ("shower", "features", "simulate", "trainer", "pytest_plugin")
    light = [name for name in names if not name.endswith(heavy)]
    code = f"import sys\nfor name in {light!r}: __import__(name)\n"
    code += "heavy = {'tensorflow', 'keras', 'jax', 'hgq', 'qkeras', 'hls4ml', 'pythia8mc'}\n"
    code += "assert not heavy & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
