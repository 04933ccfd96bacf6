"""Checks that do not need each other are told in one list."""

import pytest

from trigger_ml.errors import BlockedError, Blocker, ConfigError, ModelError
from trigger_ml.gathering import Gathering


def refuse(kind: type[BlockedError], *places: str) -> None:
    raise kind([Blocker(place, "is wrong") for place in places])


def test_everything_at_once_and_each_thing_once() -> None:
    found = Gathering()
    assert found.run(lambda: 3) == 3
    assert found.run(lambda: refuse(ModelError, "a", "b")) is None
    found.run(lambda: refuse(ModelError, "b", "c"))
    assert [item.where for item in found.blockers] == ["a", "b", "c"]
    with pytest.raises(ModelError, match="a: is wrong\nb: is wrong\nc: is wrong"):
        found.finish()


def test_errors_of_several_kinds_have_none_of_them() -> None:
    found = Gathering()
    found.run(lambda: refuse(ConfigError, "key"))
    found.run(lambda: refuse(ModelError, "layer"))
    with pytest.raises(BlockedError) as caught:
        found.finish()
    assert type(caught.value) is BlockedError
    assert len(caught.value.blockers) == 2


def test_other_errors_are_not_kept_and_nothing_wrong_is_no_error() -> None:
    found = Gathering()
    with pytest.raises(ZeroDivisionError):
        found.run(lambda: 1 / 0)
    found.finish()
