"""A model's figures and its graph as one HTML page without a second file."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from trigger_ml.inspect.drawing import page_svg
from trigger_ml.inspect.figures import Inspection
from trigger_ml.inspect.words import LEFT, columns, rows, sentences, title, total_rows

__all__ = ["inspection_page"]

PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style
main { max-width: none; padding: 1.5rem; }
table { border-collapse: collapse; }
th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: right; white-space: nowrap; }
th.word, td.word { text-align: left; }
td.wide { white-space: normal; min-width: 8rem; }
.scroll { overflow-x: auto; }
.graph svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<table>$totals</table>
<p>$notes</p>
<h2>Layers</h2>
<div class="scroll"><table><thead><tr>$heads</tr></thead><tbody>
$rows
</tbody></table></div>
<h2>Graph</h2>
<div class="graph">$graph</div>
</main>
</body>
</html>
""")
WIDE: Final = ("reads", "note")


def inspection_page(inspection: Inspection) -> str:
    """The document."""
    names = columns(inspection)
    style = files("trigger_ml.report").joinpath("templates/report.css").read_text("utf-8")
    return PAGE.substitute(
        title=escape(title(inspection)),
        style=style,
        totals="".join(
            f'<tr><td class="word">{escape(name)}</td><td class="word">{escape(figure)}</td></tr>'
            for name, figure in total_rows(inspection)
        ),
        notes="<br>".join(map(escape, sentences(inspection))),
        heads="".join(f'<th class="{_kind(name)}">{escape(name)}</th>' for name in names),
        rows="\n".join(
            "<tr>"
            + "".join(
                f'<td class="{_kind(name)}">{escape(cell)}</td>'
                for name, cell in zip(names, row, strict=True)
            )
            + "</tr>"
            for row in rows(inspection)
        ),
        graph=page_svg(inspection),
    )


def _kind(name: str) -> str:
    if name in WIDE:
        return "word wide"
    return "word" if name in LEFT else ""
