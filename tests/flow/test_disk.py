"""A disk that is full, or read-only: one message, and the last good build untouched."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.errors import BuildError
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.workspace import open_workspace


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MiB; mounting one needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield place
    # Lazily: a compiler that was ended may still be on its way out.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    with open_workspace(small_disk / "b") as workspace:
        (workspace.stage / "report.json").write_text("good")
        workspace.publish(True)
    with pytest.raises(BuildError, match=r"the disk of .*/b is full; free some space"):
        compile_model(Request(TINY, quick(), output=small_disk / "b"))
    assert (small_disk / "b" / "report.json").read_text() == "good"
    assert [path.name for path in small_disk.iterdir()] == ["b"]


def test_a_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with (
        pytest.raises(BuildError, match="cannot be written"),
        open_workspace(small_disk / "b"),
    ):
        pass
