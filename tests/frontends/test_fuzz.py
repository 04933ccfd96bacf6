"""Files that something spoiled: an error message every time, never a traceback or a hang."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import h5py
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trigger_ml.errors import BlockedError, TriggerMLError
from trigger_ml.frontends.formats import Format, detect, model_files
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_v3 import read_keras_v3

DATA = Path(__file__).parents[1] / "data"
FUZZ: Final = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FUZZ_HDF5: Final = settings(FUZZ, max_examples=40)
"""Each of these files is opened by a process of its own."""
HOSTILE: Final = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "x" * 5000,
    "__import__('os').system('false')",
    "quantized_bits(99999999999, 3)",
    [],
    [[[[]]]],
    {},
    {"class_name": "Lambda", "config": {"function": ["x"]}},
    {"class_name": 3, "config": None},
    [1, "a", None],
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a tree of lists and dictionaries."""
    found = [path] if path else []
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in items:
        found += places(value, (*path, key))
    return found


def spoiled(tree: Any, path: tuple[Any, ...], value: Any, remove: bool) -> Any:
    """A copy with one value replaced, or left out."""
    changed = copy.deepcopy(tree)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def read(path: Path) -> None:
    """Everything that happens to a file before a process is started."""
    kind = detect(path)
    try:
        model_files(path)
        if kind is Format.HGQ:
            read_keras_v3(path)
            return
        network = read_keras(path)
        network.architecture(tail=True, input_quantizer=None)
        network.activation_types(None)
    except BlockedError as error:
        assert error.blockers and all(blocker.what for blocker in error.blockers)
    except TriggerMLError as error:
        assert str(error)


def architecture(name: str) -> Any:
    with h5py.File(DATA / name) as file:
        return json.loads(file.attrs["model_config"])


@pytest.mark.parametrize("name", ["tiny_qkeras.h5", "tiny_unet.h5", "tiny_graph.h5"])
def test_an_architecture_with_one_thing_changed(tmp_path: Path, name: str) -> None:
    tree = architecture(name)
    every = places(tree)
    path = tmp_path / "net.json"
    with h5py.File(DATA / name) as whole, h5py.File(tmp_path / "net_weights.h5", "w") as alone:
        for layer in whole["model_weights"]:
            whole.copy(f"model_weights/{layer}", alone)

    @FUZZ
    @given(
        place=st.sampled_from(every),
        value=st.one_of(st.sampled_from(HOSTILE), st.integers(), st.text(max_size=20)),
        remove=st.booleans(),
    )
    def check(place: tuple[Any, ...], value: Any, remove: bool) -> None:
        path.write_text(json.dumps(spoiled(tree, place, value, remove)))
        read(path)

    check()


@pytest.mark.parametrize(
    "name",
    ["tiny_qkeras3.keras", "tiny_hgq.keras", "tiny_set_hgq.keras", "tiny_graph_hgq.keras"],
)
def test_a_zip_with_one_thing_changed(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(DATA / name) as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    tree = json.loads(members["config.json"])
    every = places(tree)
    path = tmp_path / "net.keras"

    @FUZZ
    @given(
        place=st.sampled_from(every),
        value=st.one_of(st.sampled_from(HOSTILE), st.integers(), st.text(max_size=20)),
        remove=st.booleans(),
    )
    def check(place: tuple[Any, ...], value: Any, remove: bool) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            changed = json.dumps(spoiled(tree, place, value, remove))
            for item, content in members.items():
                archive.writestr(item, changed if item == "config.json" else content)
        read(path)

    check()


WHOLE: Final = ("tiny_qkeras.h5", "tiny_qkeras3.keras", "tiny_qkeras3.h5", "tiny_norm_hgq.keras")


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_or_with_bytes_changed(tmp_path: Path, name: str) -> None:
    data = (DATA / name).read_bytes()
    path = tmp_path / name

    @FUZZ_HDF5
    @given(
        cut=st.integers(0, len(data)),
        at=st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=8),
    )
    def check(cut: int, at: list[tuple[int, int]]) -> None:
        changed = bytearray(data)
        for position, value in at:
            changed[position] = value
        path.write_bytes(bytes(changed[: cut if cut % 2 else len(data)]))
        read(path)

    check()


@pytest.mark.parametrize("name", ["net.h5", "net.keras", "net.json", "net.onnx", "net"])
def test_noise(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    @FUZZ
    @given(
        start=st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{", b"\x08\x07"]),
        rest=st.binary(max_size=400),
    )
    def check(start: bytes, rest: bytes) -> None:
        path.write_bytes(start + rest)
        read(path)

    check()


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{" + " " * 200_000_000 + "}")
        archive.writestr("model.weights.h5", b"")
    read(path)


def test_a_deep_architecture(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    h5py.File(tmp_path / "deep_weights.h5", "w").close()
    read(path)


def test_weights_that_are_no_floats(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(DATA / "tiny_qkeras3.keras") as source:
        weights = io.BytesIO(source.read("model.weights.h5"))
        with h5py.File(weights, "a") as file:
            group = file["layers/q_dense/vars"]
            del group["0"]
            group["0"] = [b"text"]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", source.read("config.json"))
            archive.writestr("model.weights.h5", weights.getvalue())
    with pytest.raises(TriggerMLError):
        read_keras(path)
