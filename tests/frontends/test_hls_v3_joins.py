"""hls4ml's description of joins, changed so that its layers join two tensors and the right ones."""

from typing import Any

import pytest

from trigger_ml.frontends.hls_v3_joins import join_names, mend_joins


def layer(name: str, kind: str, inputs: list[str], **more: Any) -> dict[str, Any]:
    return {"name": name, "class_name": kind, "inputs": inputs, **more}


def evaluated(layers: list[dict[str, Any]], known: dict[str, Any]) -> dict[str, Any]:
    """What the layers compute, from what their inputs are."""
    for item in layers:
        first, second = (known[name] for name in item["inputs"])
        made = {
            "add": lambda a, b: a + b,
            "subtract": lambda a, b: a - b,
            "multiply": lambda a, b: a * b,
            "average": lambda a, b: (a + b) / 2,
            "Concatenate1d": lambda a, b: (*a, *b),
        }[item["op"]](first, second)
        known[item["name"]] = made
    return known


@pytest.mark.parametrize(
    ("op", "count", "wanted"),
    [("add", 3, 2 + 3 + 5), ("multiply", 4, 2 * 3 * 5 * 7), ("average", 4, 17 / 4)],
)
def test_joins_of_many_are_joins_of_two(op: str, count: int, wanted: float) -> None:
    names = [f"t{place}" for place in range(count)]
    layers = [layer("all", "Merge", names, op=op, scale=1 / count)]
    mend_joins(layers)
    assert len(layers) == count - 1
    assert [item["name"] for item in layers] == [*join_names("all", count), "all"]
    assert all("scale" not in item for item in layers)
    numbers = dict(zip(names, (2, 3, 5, 7), strict=False))
    assert evaluated(layers, numbers)["all"] == wanted


def test_tensors_side_by_side_stay_in_order_along_the_last_axis() -> None:
    layers = [layer("all", "Concatenate", ["a", "b", "c"], op="Concatenate1d", axis=1)]
    mend_joins(layers)
    assert [item["axis"] for item in layers] == [-1, -1]
    assert evaluated(layers, {"a": (1,), "b": (2, 3), "c": (4,)})["all"] == (1, 2, 3, 4)


def test_each_input_comes_from_the_quantizer_that_is_its_own() -> None:
    layers = [
        layer("twice_iq_0", "FixedPointQuantizer", ["t"]),
        layer("twice_iq_1", "FixedPointQuantizer", ["t"]),
        layer("twice", "Merge", ["twice_iq_1", "twice_iq_1"], op="multiply"),
        layer("bare", "Merge", ["twice", "t"], op="add"),
    ]
    mend_joins(layers)
    assert layers[2]["inputs"] == ["twice_iq_0", "twice_iq_1"]
    assert layers[3]["inputs"] == ["twice", "t"]
    assert len(layers) == 4


def test_a_join_of_two_stays_as_it_is() -> None:
    layers = [layer("one", "Merge", ["a", "b"], op="average", scale=0.5)]
    mend_joins(layers)
    assert layers == [layer("one", "Merge", ["a", "b"], op="average", scale=0.5)]
