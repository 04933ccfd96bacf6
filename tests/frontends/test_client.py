"""What the firmware is called."""

from pathlib import Path

import pytest

from trigger_ml.frontends.client import top_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/jet_tagger/model.h5", "jet_tagger"),
        ("Käse & Co.h5", "k_se_co"),
        ("3b.h5", "nn_3b"),
        ("build/final", "nn_final"),
        ("build/signal", "nn_signal"),
        ("build/Class", "nn_class"),
        ("---.h5", "network"),
        ("my__net_.h5", "my_net"),
    ],
)
def test_a_name_that_every_language_takes(path: str, name: str) -> None:
    assert top_name(Path(path)) == name
