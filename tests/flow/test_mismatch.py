"""A whole compilation whose RTL is wrong: exit code 3's report, and the last good build."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.artifacts import RtlProject
from trigger_ml.lower import build
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.report.schema import load_report


def test_the_report_names_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rtl = build.write_rtl

    def spoiled(*arguments: Any) -> RtlProject:
        """One bias bit of the RTL is moved after it was written."""
        project = write_rtl(*arguments)
        for source in project.sources:
            text = source.read_text()
            changed = re.sub(r"(shift_adder #\(\d+,1,1,0,\d+,0),5,1\)", r"\1,4,1)", text, count=1)
            if changed != text:
                source.write_text(changed)
                break
        return project

    monkeypatch.setattr(build, "write_rtl", spoiled)
    outcome = compile_model(Request(TINY, quick(), output=tmp_path / "tiny"))
    assert outcome.folder == tmp_path / "tiny.failed"
    assert not (tmp_path / "tiny").exists()
    report = load_report(outcome.folder)
    assert not report.passed
    assert [verdict.name for verdict in report.failures] == ["bits:rtl~graph"]
    divergence = report.fidelity.first_divergence
    assert divergence is not None
    assert (divergence.witnesses, divergence.layer) == ("rtl~graph", "logits")
    assert divergence.left != divergence.right
    page = (outcome.folder / "report.html").read_text()
    assert re.search(r"pipeline stage \d+ of \d+ is the first that is wrong", page)
