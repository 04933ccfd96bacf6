"""Pages in a real browser: both schemes, wide and narrow, on paper."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.report.browser import CHROMIUM, REQUIRED, Browser, Tab
from tests.report.conftest import demo_inputs
from tests.report.test_masks import streamed
from trigger_ml.report.build import build_report
from trigger_ml.report.compare import compare_reports
from trigger_ml.report.compare_page import comparison_page
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import Report

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and REQUIRED not in os.environ,
    reason="needs the Debian package chromium: make test-browser",
)
CONTRAST: Final = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
PAPER: Final = (688, 1016)
"""Width and height of A4 within margins of 14 mm, in CSS pixels of 1/96 inch."""
SECTIONS: Final = (
    "physics", "fidelity", "latency", "resources", "formats", "checks", "provenance", "sources",
    "glossary",
)  # fmt: skip
COMPARED: Final = (
    "verdicts", "exactness", "physics", "latency", "resources", "types", "provenance", "sources",
)  # fmt: skip
NAMES: Final = ("passed", "failed", "streamed", "compared")
WIDER: Final = """
[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, figure, pre")
  && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None, "chromium is not on PATH"
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(
    report: Report, failed_report: Report, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    compared = compare_reports(report, failed_report, ("build/before", "build/after"))
    texts = {
        "passed": html_page(report),
        "failed": html_page(failed_report),
        "streamed": html_page(build_report(streamed(demo_inputs()))),
        "compared": comparison_page(report, failed_report, compared),
    }
    files = {name: folder / f"{name}.html" for name in texts}
    for name, file in files.items():
        file.write_text(texts[name], encoding="utf-8")
    return files


@pytest.fixture
def tab(browser: Browser) -> Tab:
    return browser.tab()


def brightness(tab: Tab) -> float:
    """Of the page's background, 0 to 255."""
    text = tab.value("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", text)[:3])) / 3


def require_readable(tab: Tab, at_least: int) -> None:
    tab.unroll()
    found: dict[str, Any] = tab.value(CONTRAST)
    assert found["checked"] > at_least
    assert not found["poor"]


def require_quiet(tab: Tab) -> None:
    assert not [url for url in tab.requests if not url.startswith("data:")]
    assert not tab.errors


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_screen(pages: dict[str, Path], tab: Tab, name: str, dark: bool) -> None:
    tab.show(width=1280, dark=dark)
    tab.open(pages[name])
    assert brightness(tab) < 60 if dark else brightness(tab) > 230
    for section in COMPARED if name == "compared" else SECTIONS:
        assert tab.value(f"document.getElementById('{section}').offsetHeight") > 20, section
    levels = tab.value("[...document.querySelectorAll('h1,h2,h3')].map((e) => +e.tagName[1])")
    assert levels[0] == 1
    assert max(b - a for a, b in zip(levels, levels[1:], strict=False)) == 1
    for width in (1280, 400):
        tab.show(width=width, dark=dark)
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert tab.value(WIDER) == []
    tab.show(width=1280, dark=dark)
    require_readable(tab, 300)
    require_quiet(tab)


@pytest.mark.parametrize("name", NAMES)
def test_on_paper(pages: dict[str, Path], tab: Tab, name: str) -> None:
    width, height = PAPER
    tab.show(width=width, dark=True, media="print")
    tab.open(pages[name])
    assert brightness(tab) == 255
    assert tab.value("document.documentElement.scrollWidth") <= width
    figures = tab.value(
        "[...document.querySelectorAll('figure')].map((e) => "
        "[e.offsetHeight, e.scrollWidth - e.clientWidth, getComputedStyle(e).breakInside])"
    )
    assert figures
    for tall, beyond, breaks in figures:
        assert tall < height
        assert beyond <= 0
        assert breaks == "avoid"
    wide = "[...document.querySelectorAll('.scroll')].map((e) => e.scrollWidth - e.clientWidth)"
    assert max(tab.value(wide)) <= 0
    require_readable(tab, 300)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20
    require_quiet(tab)


def test_colours_are_chosen_with_the_keyboard(pages: dict[str, Path], tab: Tab) -> None:
    tab.show(width=1280)
    tab.open(pages["passed"])
    tab.value("document.getElementById('theme-system').focus()")
    found = []
    for _ in range(2):
        tab.press("ArrowRight")
        found.append((tab.value("document.activeElement.id"), brightness(tab) > 128))
    assert found == [("theme-light", True), ("theme-dark", False)]
    require_readable(tab, 300)
    tab.show(width=PAPER[0], media="print")
    assert brightness(tab) == 255


def test_a_broken_page_is_noticed(tmp_path: Path, tab: Tab) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<body><p style='color:#999'>pale words</p><img src='other.png'>"
        "<div style='width:2000px'>wide</div><script>console.log('x')</script>"
    )
    tab.show(width=400)
    tab.open(page)
    assert [Path(url).name for url in tab.requests] == ["other.png"]
    assert tab.errors
    assert tab.value("document.documentElement.scrollWidth") > 400
    assert len(tab.value(WIDER)) == 1
    tab.unroll()
    assert tab.value(CONTRAST) == {"checked": 2, "poor": ["pale words: 2.85"]}
