"""The report of a build without RTL: what it says, and what it never says."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from trigger_ml.errors import BuildError
from trigger_ml.report.hls_only import HlsReport, is_hls_only, load_hls_report
from trigger_ml.report.hls_only_words import hls_headline, hls_markdown, hls_terminal
from trigger_ml.report.schema import load_report

ROW: dict[str, Any] = {
    "name": "all vectors",
    "judged": True,
    "vectors": 1000,
    "equal": 12,
    "largest": 0.0078125,
    "rms": 0.001,
    "largest_lsb": 8.0,
    "rms_lsb": 1.024,
    "spread": 0.5,
    "error": 0.002,
    "agree": 996,
}
PORT = {"name": "x", "shape": [4, 3], "type": "fixed<8,3>"}
LAYER = {"layer": "rec", "types": {"weight": "fixed<18,1>"}, "table_size": 4096}


def report(passed: bool = True, **row: Any) -> HlsReport:
    verdict = {"name": "csim:outputs", "passed": passed, "message": "off by 0.20%"}
    data: dict[str, Any] = {
        "schema": "hls-only/1",
        "passed": passed,
        "model": {"file": "m.h5", "sha256": "0", "format": "f", "parameters": 1, "nonzero": 1},
        "project": {
            "top": "m",
            "backend": "Vitis",
            "io_type": "io_parallel",
            "part": "VU13P",
            "clock_mhz": 360.0,
            "exact": False,
            "inputs": [PORT],
            "outputs": [PORT],
            "layers": [LAYER],
        },
        "decision": "the largest output",
        "closeness": [{**ROW, **row}],
        "accuracy": None,
        "segments": [{"name": "random", "events": 1000}],
        "timing_s": {},
        "versions": {},
        "verdicts": [verdict],
        "provenance": {"graph_sha256": None, "seed": 1},
    }
    return HlsReport.model_validate(data)


def shown(found: HlsReport) -> str:
    console = Console(width=100, file=io.StringIO())
    with console.capture() as caught:
        console.print(hls_terminal(found))
    return caught.get()


@pytest.mark.parametrize("words", [hls_markdown, shown])
def test_the_summary_states_what_there_is_not(words: Any) -> None:
    text = words(report())
    assert "no RTL was made, no latency measured, no resources counted" in text
    assert "PASS" not in text
    assert "CLOSE" in text
    assert "0.00781 (8 LSB)" in text
    assert "996 (99.60 %)" in text
    assert "tables of 4,096 entries" in text


def test_equal_is_said_with_its_numbers() -> None:
    found = report(equal=1000, largest=0.0, rms=0.0, agree=1000)
    assert hls_headline(found) == "C simulation and model are equal on 1,000 of 1,000."
    assert "EQUAL" in hls_markdown(found)
    assert "PASS" not in hls_markdown(found)


def test_a_failure_says_so() -> None:
    assert "FAIL" in hls_markdown(report(passed=False))
    assert "FAIL" in shown(report(passed=False))


def test_what_was_not_measured_is_null_and_said() -> None:
    found = report(
        passed=False, vectors=0, equal=0, largest=None, rms=None, rms_lsb=None, agree=None
    )
    data = json.loads(found.to_text())
    assert (data["rtl"], data["latency"], data["resources"]) == (None, None, None)
    assert data["closeness"][0]["largest"] is None
    assert "was not compared" in hls_headline(found)
    assert "not measured" in hls_markdown(found)


def test_passed_follows_the_verdicts() -> None:
    data = json.loads(report(passed=False).to_text())
    with pytest.raises(ValidationError, match="does not follow"):
        HlsReport.model_validate({**data, "passed": True})


def test_it_is_told_from_the_other_kind(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report().to_text(), encoding="utf-8")
    assert is_hls_only(tmp_path)
    assert load_hls_report(tmp_path) == report()
    with pytest.raises(BuildError, match="made with --hls-only"):
        load_report(tmp_path)
    (tmp_path / "report.json").write_text('{"schema": 1}', encoding="utf-8")
    assert not is_hls_only(tmp_path)
    assert not is_hls_only(tmp_path / "missing")


def test_an_altered_report_is_refused(tmp_path: Path) -> None:
    data = {**json.loads(report().to_text()), "latency": 12}
    (tmp_path / "report.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BuildError, match="latency"):
        load_hls_report(tmp_path)
