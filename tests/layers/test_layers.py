"""The page of layers is that of the cases, each exact; ``make layers`` compiles and writes it."""

from __future__ import annotations

import re

from tests.layers.compiled import EVENTS, Found, all_cases
from tests.layers.table import PAGE, page


def test_the_page_lists_every_case_as_exact() -> None:
    listed: list[tuple[str, str]] = []
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        kind = part.splitlines()[0]
        rows = re.findall(r"^\| (.+?) \| (?:0 of [0-9,]+ \| ){3}", part, re.MULTILINE)
        listed += [(kind, name.replace("\\|", "|")) for name in rows]
    assert sorted(listed) == sorted((case.kind, case.name) for case in all_cases())


def test_names_are_files_of_their_own() -> None:
    assert len({case.file for case in all_cases()}) == len(all_cases())


def test_what_is_not_exact_is_not_called_so() -> None:
    case = all_cases()[0]
    enough = dict.fromkeys(("source", "csim", "alkaid", "rtl"), EVENTS)
    none = dict.fromkeys(enough, 0)
    assert Found(case, enough, none, 1.0, 2).exact
    assert not Found(case, enough, {**none, "rtl": 1}, 1.0, 2).exact
    assert not Found(case, {**enough, "csim": EVENTS - 1}, none, 1.0, 2).exact
    assert "| 3 of 65,536 |" in page([Found(case, enough, {**none, "csim": 3}, 1.0, 2)])
