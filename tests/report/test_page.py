"""The page holds everything it shows, says what failed, and looks the same to a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from trigger_ml.report import page as page_module
from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import Report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Checker(HTMLParser):
    """Collects ids, references and visible text, and fails on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("href", "src", "xlink:href", "srcset", "action", "data"):
                self.references.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def parse(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    return checker


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html_page(report)


@pytest.fixture(scope="module")
def failed_page(failed_report: Report) -> str:
    return html_page(failed_report)


def test_page_refers_to_nothing_outside(page: str, failed_page: str) -> None:
    for text in (page, failed_page):
        found = parse(text)
        assert all(ref.startswith("#") or ref == "data:," for ref in found.references)
        assert not re.search(r"https?:|//[a-z]|@import|@font-face|url\((?!#)", text)
        assert not found.tags & {"script", "iframe", "object", "embed", "img"}


def test_page_is_small(page: str) -> None:
    assert len(page.encode()) < 1_000_000


def test_every_inner_reference_has_its_target_once(page: str) -> None:
    found = parse(page)
    assert len(found.ids) == len(set(found.ids))
    inner = {ref[1:] for ref in found.references if ref.startswith("#")}
    inner |= set(re.findall(r"url\(#([^)]*)\)", page))
    assert inner <= set(found.ids)


def test_page_leads_with_the_verdict(page: str) -> None:
    text = parse(page).words
    assert "PASS" in text[:300]
    assert text.index("Bit-exact, on time at 63.9 ns, on 0.30 % of a VU13P.") < 400
    for part in ("23 clocks", "5,142", "81.82", "estimate, not timing closure", "sha256"):
        assert part in text


def test_page_explains_every_witness_and_term(page: str) -> None:
    text = parse(page).words
    for part in (
        "evaluated by the framework that trained it",
        "All firmware is made from it",
        "what a vendor HLS tool would synthesize",
        "what runs in the FPGA",
        "Initiation interval",
        "Super logic region",
    ):
        assert part in text


def test_failures_are_shown_first(failed_page: str) -> None:
    text = parse(failed_page).words
    assert text.index("Not exact, late: 3 of 5 checks failed.") < 400
    assert text.index("63.9 ns, the budget is 50 ns") < text.index("Is it the same network?")
    assert "Where they first part: layer fc2" in text
    assert "rounding: every difference is one last bit" in text
    assert "not measured" in text
    # -120 and -119 in 14 bits, with the one bit that differs marked in both.
    bits = "".join("<mark>1</mark>" if bit == "x" else bit for bit in "1111111000100x")
    assert bits in failed_page
    assert bits.replace("<mark>1", "<mark>0") in failed_page


@pytest.mark.parametrize(
    "change",
    [
        {"cosim": None, "cross": (), "rtl": None},
        {"synthesis": ()},
        {"device": None},
        {"physics": None},
        {"ranges": {}},
        {"runs": ()},
        {"verdicts": ()},
        {"inexact_layers": {"softmax": "exp in float32"}},
        {"commands": (), "files": {}, "timing_s": {}, "versions": {}, "created_utc": None},
    ],
    ids=lambda change: "+".join(change),
)
def test_page_without_a_part_still_stands(
    inputs: ReportInputs, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawing takes long, and is tested by itself.
    monkeypatch.setattr(page_module, "_figures", lambda _: dict.fromkeys(page_module.FIGURES, ()))
    report = build_report(replace(inputs, **change))
    text = parse(html_page(report)).words
    assert ("PASS" in text[:300]) == report.passed
    missing = {"cosim", "synthesis", "ranges", "runs", "physics"} & set(change)
    if missing:
        assert "not measured" in text
    assert "None" not in text


def test_names_cannot_break_the_page(inputs: ReportInputs) -> None:
    source = replace(inputs.source, file='<script>alert("x")</script>$a$&.h5')
    node = replace(inputs.graph.nodes[1], name="<b>$x_1$&amp;")
    graph = replace(inputs.graph, nodes=(inputs.graph.nodes[0], node))
    ranges = {node.name: inputs.ranges["fc1"]}
    found = parse(
        html_page(build_report(replace(inputs, source=source, graph=graph, ranges=ranges)))
    )
    assert "script" not in found.tags
    assert '<script>alert("x")</script>$a$&.h5' in found.words
    assert found.words.count("<b>$x_1$&amp;") >= 2  # in the table and in the plot


def test_page_is_the_same_twice(report: Report, page: str) -> None:
    assert html_page(report) == page
