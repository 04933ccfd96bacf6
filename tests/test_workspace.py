"""Build directories appear whole or not at all."""

from pathlib import Path

import pytest

from trigger_ml.errors import BuildError, ToolFailedError
from trigger_ml.workspace import open_workspace


def build(destination: Path, text: str, passed: bool = True) -> Path:
    with open_workspace(destination) as workspace:
        (workspace.stage / "report.json").write_text(text)
        return workspace.publish(passed)


def left_over(parent: Path) -> set[str]:
    return {path.name for path in parent.iterdir()}


def test_a_build_replaces_the_last_one(tmp_path: Path) -> None:
    place = tmp_path / "näher bei" / "build one"
    build(place, "old")
    build(place, "new")
    assert (place / "report.json").read_text() == "new"
    assert left_over(place.parent) == {"build one"}


def test_a_failed_build_stands_beside_the_last_good_one(tmp_path: Path) -> None:
    place = tmp_path / "build"
    build(place, "good")
    failed = build(place, "bad", passed=False)
    assert failed == tmp_path / "build.failed"
    assert (place / "report.json").read_text() == "good"
    build(place, "better")
    assert left_over(tmp_path) == {"build"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    place = tmp_path / "build"
    build(place, "good")
    with pytest.raises(error), open_workspace(place) as workspace:
        (workspace.stage / "report.json").write_text("half")
        raise error
    assert (place / "report.json").read_text() == "good"
    assert left_over(tmp_path) == {"build"}


def test_what_a_failed_tool_printed_outlives_the_workspace(tmp_path: Path) -> None:
    """The message names a file that is still there; the next good build takes it away."""
    place = tmp_path / "build"
    with pytest.raises(ToolFailedError) as caught, open_workspace(place) as workspace:
        log = workspace.scratch / "tool.log"
        log.write_text("line 1\nline 2")
        raise ToolFailedError("could not link", log)
    kept = tmp_path / "build.failed.log"
    assert str(caught.value) == f"could not link\n  whole output: {kept}"
    assert kept.read_text() == "line 1\nline 2"
    build(place, "good")
    assert left_over(tmp_path) == {"build"}


def test_a_log_that_is_gone_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError) as caught, open_workspace(tmp_path / "build"):
        raise ToolFailedError("could not link", tmp_path / "never written")
    assert str(caught.value) == "could not link"
    assert not left_over(tmp_path)


def test_the_second_of_two_is_told(tmp_path: Path) -> None:
    with (
        open_workspace(tmp_path / "build"),
        pytest.raises(BuildError, match="is being made by another process"),
        open_workspace(tmp_path / "build"),
    ):
        pass


def test_a_folder_that_is_no_build_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(BuildError, match="is not a build"), open_workspace(tmp_path / "thesis"):
        pass
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "precious"


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "build"
    with pytest.raises(BuildError, match="cannot be written"), open_workspace(place):
        pass
