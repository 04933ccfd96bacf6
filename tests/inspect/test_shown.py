"""The table, the page and the drawing of a model."""

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from rich.console import Console

from tests.inspect.files import ROOT
from trigger_ml.config import Config
from trigger_ml.errors import ConfigError
from trigger_ml.inspect.drawing import draw, page_svg, svg
from trigger_ml.inspect.figures import Inspection
from trigger_ml.inspect.page import inspection_page
from trigger_ml.inspect.run import Request, inspect_model
from trigger_ml.inspect.table import inspection_table
from trigger_ml.inspect.words import short_type
from trigger_ml.inspect.write import require_kind, write_inspection

LONG = "conv2d_of_the_bottleneck_before_merging_both"


@pytest.fixture(scope="module")
def unet() -> Inspection:
    return inspect_model(Request(ROOT / "tests" / "data" / "tiny_unet.h5", Config())).inspection


def printed(inspection: Inspection, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(inspection_table(inspection, width))
    return console.export_text()


def test_the_table_has_every_layer_and_what_the_whole_takes(unet: Inspection) -> None:
    text = printed(unet, 200)
    for layer in unet.layers:
        assert re.search(rf"^{layer.name} +{layer.kind} ", text, re.MULTILINE)
    assert "16×32×3" in text
    assert re.search(r"^LUT +about [0-9,]+, [0-9.]+% of VU13P", text, re.MULTILINE)
    assert "rough" in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_leaves_columns_out(unet: Inspection, width: int) -> None:
    text = printed(unet, width)
    assert max(map(len, text.splitlines())) <= width
    assert re.search(r"^down_relu .* ufixed<4,2>", text, re.MULTILINE)
    assert "On a wider terminal" in text


def test_a_type_without_its_modes() -> None:
    assert short_type("fixed<8,2,RND_CONV,SAT>") == "fixed<8,2>"
    assert short_type("ufixed<8,-2>") == "ufixed<8,-2>"
    assert short_type("1 of 2") == "1 of 2"


def test_the_drawing_names_every_layer(unet: Inspection) -> None:
    root = ElementTree.fromstring(svg(unet))
    texts = {element.text for element in root.iter() if element.tag.endswith("}text")}
    assert {layer.name for layer in unet.layers} <= texts
    assert "conv2d 16×32×3" in texts
    assert svg(unet) == svg(unet)


def test_the_page_stands_alone_and_escapes_names(unet: Inspection) -> None:
    odd = replace(unet, layers=(replace(unet.layers[0], name="<b>&"), *unet.layers[1:]))
    page = inspection_page(odd)
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "http" not in page
    assert page.count("<svg") == 1
    assert page_svg(odd) in page


def test_files_by_suffix(unet: Inspection, tmp_path: Path) -> None:
    starts = {".html": b"<!doctype html>", ".svg": b"<?xml", ".png": b"\x89PNG"}
    for suffix, start in starts.items():
        path = tmp_path / f"graph{suffix}"
        write_inspection(unet, path)
        assert path.read_bytes().startswith(start)
    with pytest.raises(ConfigError, match=r"\.pdf is no kind of page or drawing"):
        require_kind(tmp_path / "graph.pdf")
    assert len(list(tmp_path.iterdir())) == 3


def test_texts_fit_their_boxes(unet: Inspection) -> None:
    """Twenty layers, some with long names and types."""
    base = replace(unet.layers[1], type="ufixed<12,5,RND_CONV,SAT_SYM>")
    chain = tuple(
        replace(base, name=LONG[: 2 * k + 1], reads=(LONG[: 2 * k - 1],) if k else ())
        for k in range(20)
    )
    figure = draw(replace(unet, layers=chain))
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    boxes = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    assert len(boxes) == 20
    assert len(axes.texts) == 60
    for text in axes.texts:
        assert text.get_fontsize() >= 7.5
        inside = text.get_window_extent()
        assert any(
            box.x0 < inside.x0 and inside.x1 < box.x1 and box.y0 < inside.y0 and inside.y1 < box.y1
            for box in boxes
        ), text.get_text()
