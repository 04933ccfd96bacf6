"""What a search may set, read from YAML."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trigger_ml.compress.search.space import Space, parse_space
from trigger_ml.errors import ConfigError


class Low:
    """Draws the lowest value, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def suggest_float(self, name: str, low: float, high: float, *, step: Any, log: bool) -> float:
        self.asked.append((name, low, high, step, log))
        return low

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        self.asked.append((name, low, high, step, log))
        return low

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self.asked.append((name, choices))
        return choices[0]


def space(text: str) -> Space:
    return parse_space(yaml.safe_load(text), "space")


def test_every_kind_of_entry() -> None:
    source = Low()
    read = space(
        "{beta: {low: 1e-8, high: 1.0e-4, log: true}, width: {low: 8, high: 64, step: 8},"
        " depth: {low: 1, high: 3}, kind: {choices: [relu, 2, true]}, epochs: 40}"
    )
    drawn = read.suggest(source)
    assert drawn == {"beta": 1e-8, "width": 8, "depth": 1, "kind": "relu", "epochs": 40}
    assert source.asked == [
        ("beta", 1e-8, 1e-4, None, True),
        ("width", 8, 64, 8, False),
        ("depth", 1, 3, 1, False),
        ("kind", ("relu", 2, True)),
    ]
    assert type(drawn["width"]) is int
    again = parse_space(read.to_json(), "space")
    assert again.to_json() == read.to_json()
    assert read.to_json()["kind"]["choices"] == ["relu", 2, True]


def test_what_the_search_could_have_drawn() -> None:
    read = space(
        "{a: {low: 0.5, high: 2.0}, b: {low: 1, high: 9, step: 2}, c: {choices: [1, x]}, d: 4}"
    )
    assert read.within({"a": 0.5, "b": 7, "c": "x", "d": 4}) == {"a": 0.5, "b": 7, "c": "x"}
    assert read.within({"a": 2.1, "b": 8, "c": True, "e": 1}) == {}
    assert read.within({"a": "1", "b": 2.5}) == {}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{low: 3, high: 1}", "space.x: low must be below high (3 and 1)"),
        ("{low: 0, high: 1, log: true}", "low must be above zero for log: true"),
        ("{low: 1, high: 2, log: true, step: 1}", "log and step exclude each other"),
        ("{low: 1, high: 10, step: 4}", "high must be a whole number of steps above low (2.25)"),
        ("{low: 1, high: 10, step: -1}", "step must be above zero"),
        ("{low: one, high: 10}", "space.x: low: must be a number, found 'one'"),
        ("{low: .nan, high: 10}", "space.x: low: must be a number"),
        ("{low: true, high: 10}", "space.x: low: must be a number"),
        ("{low: 1, hihg: 10}", "did you mean high?"),
        ("{low: 1}", "space.x: high: Field required"),
        ("{choices: [a]}", "write two or more, or the value alone to fix it"),
        ("{choices: [a, b, a]}", "a choice is there twice"),
        ("{choices: [a, [b]]}", "choices.1: must be a number, a text, true or false"),
        ("[1, 2]", "space.x: [1, 2] is no entry of a search space"),
        (".inf", "space.x: inf is no entry of a search space"),
    ],
)
def test_a_wrong_entry(entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space(f"{{x: {entry}, y: {{low: 1, high: 2}}}}")
    assert message in str(caught.value)
    assert len(caught.value.blockers) == 1 or "hihg" in entry


def test_all_problems_at_once() -> None:
    text = "{betta: {low: 1, high: 2}, width: {low: 2, high: 1}, epochs: []}"
    with pytest.raises(ConfigError) as caught:
        parse_space(yaml.safe_load(text), "x.yaml: space", {"beta", "width", "epochs"})
    assert [blocker.where for blocker in caught.value.blockers] == [
        "x.yaml: space.betta",
        "x.yaml: space.width",
        "x.yaml: space.epochs",
    ]
    assert caught.value.blockers[0].fix == "did you mean beta?"


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "{epochs: 3}"])
def test_a_space_without_anything_to_search(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must hold parameters|every parameter is fixed"):
        space(text)
