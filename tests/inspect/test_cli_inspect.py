"""``inspect`` and ``diff`` as a user meets them, and how light the command line starts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inspect.files import TINY, changed

START_UP = ("__main__", "click", "trigger_ml", "_distutils_hack")
"""Packages that ``trigger-ml --help`` may load; everything else waits for the command that needs
it."""


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trigger_ml.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)


def loaded(statement: str, cwd: Path) -> set[str]:
    """Top-level packages, those of Python left out, that a statement loads."""
    code = f"import sys\n{statement}\nprint(*(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, text=True, capture_output=True, check=True
    )
    return set(done.stdout.split()) - set(sys.stdlib_module_names)


def test_the_command_line_loads_next_to_nothing(tmp_path: Path) -> None:
    assert loaded("import trigger_ml.cli", tmp_path) <= set(START_UP)


def test_looking_at_a_model_needs_no_framework(tmp_path: Path) -> None:
    modules = loaded(
        "import trigger_ml.inspect.run, trigger_ml.inspect.table\n"
        "from pathlib import Path\n"
        "from trigger_ml.config import Config\n"
        "from trigger_ml.inspect.run import Request, inspect_model\n"
        f"inspect_model(Request(Path({str(TINY)!r}), Config()))",
        tmp_path,
    )
    heavy = {"alkaid", "matplotlib", "scipy", "tensorflow", "keras", "jax", "hls4ml", "jinja2"}
    assert not modules & heavy


def test_inspect_prints_a_table_and_writes_a_page(tmp_path: Path) -> None:
    done = run("inspect", TINY, "-o", "page.html", cwd=tmp_path)
    assert done.returncode == 0
    assert "logits" in done.stdout
    assert "wrote page.html" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_inspect_prints_json(tmp_path: Path) -> None:
    done = run("inspect", TINY, "--json", "--part", "VU9P", "--clock", "5ns", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["part"], found["clock_mhz"]) == ("VU9P", 200.0)
    assert found["totals"]["ii_ns"] == 5.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "none.h5"), "none.h5: cannot be read"),
        (("inspect", TINY, "-o", "x.pdf"), "x.pdf: .pdf is no kind of page"),
        (("inspect", TINY, "--part", "xc9000"), "the totals of part 'xc9000' are not known"),
        (("diff", TINY, "none.h5"), "none.h5: none.h5: cannot be read"),
        (("diff", TINY, "."), "there is no report here"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[object, ...], message: str) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_diff_ends_as_git_diff_does(tmp_path: Path) -> None:
    other = changed(tmp_path / "other.h5", rename=("fc2", "middle"))
    assert run("diff", TINY, other, cwd=tmp_path).returncode == 0
    done = run("diff", TINY, other, "--exit-code", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["different"] is True
    same = run("diff", TINY, TINY, "--exit-code", cwd=tmp_path)
    assert same.returncode == 0
    assert "No difference." in same.stdout
