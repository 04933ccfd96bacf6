"""A worker process and its caller: answers, errors of every kind, and an end in between."""

import sys
from pathlib import Path

import pytest

from trigger_ml.errors import (
    BlockedError,
    Blocker,
    ConfigError,
    DataError,
    ModelError,
    ToolFailedError,
)
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

PROGRAM = """
from trigger_ml import errors
from trigger_ml.serving import serve

def double(request):
    print("printing does not disturb")
    return {"twice": 2 * request["number"]}

def refuse(request):
    blockers = [errors.Blocker("here", "is wrong", "mend it"), errors.Blocker("there", "too")]
    raise getattr(errors, request["kind"])(blockers)

def fail(request):
    raise RuntimeError("out of order")

serve({"double": double, "refuse": refuse, "fail": fail})
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command((sys.executable, "-c", PROGRAM), tmp_path, "double numbers")


def test_answers_come_in_order(command: Command) -> None:
    with Worker(command) as worker:
        assert [ask(worker, do="double", number=n)["twice"] for n in (1, 2, 3)] == [2, 4, 6]


@pytest.mark.parametrize("kind", [ConfigError, DataError, ModelError])
def test_blockers_arrive_as_the_same_error(command: Command, kind: type[BlockedError]) -> None:
    with Worker(command) as worker:
        with pytest.raises(kind) as caught:
            ask(worker, do="refuse", kind=kind.__name__)
        assert type(caught.value) is kind
        assert caught.value.blockers == (
            Blocker("here", "is wrong", "mend it"),
            Blocker("there", "too"),
        )
        assert ask(worker, do="double", number=4) == {"twice": 8}


def test_another_exception_ends_the_process(command: Command) -> None:
    with Worker(command) as worker, pytest.raises(ToolFailedError, match="out of order"):
        ask(worker, do="fail")
