"""hls4ml's saved graphs: read, or refused with every reason; nothing in them reaches C++."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.frontends.fml_files import TINY, documents, members, pack, put, strings, with_document
from trigger_ml.config import load_config
from trigger_ml.errors import BlockedError, ConfigError, ModelError
from trigger_ml.frontends import fml_archive
from trigger_ml.frontends.client import reader_name
from trigger_ml.frontends.fml_client import open_fml
from trigger_ml.frontends.fml_file import FmlFile, read_fml
from trigger_ml.frontends.fml_rebuild import model_graph
from trigger_ml.frontends.fml_types import SavedType, as_written
from trigger_ml.frontends.formats import Format, detect, model_files
from trigger_ml.frontends.hls_project import write_project
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.types import FixedType, Overflow, Rounding

ARCHITECTURE = "model_arch.json"
MARK = '");\n#error owned\nint x = system("owned'
REQUEST = {"top": "net", "part": "xcvu13p-flga2577-2-e", "clock_ns": 2.5}


def written(file: FmlFile, folder: Path) -> tuple[Any, str]:
    """The graph that is made of a file, and all text of the project that is written."""
    file.write_arrays(folder / "arrays.npz")
    with np.load(folder / "arrays.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    data = json.loads(json.dumps(file.to_json()))
    request = {**REQUEST, "directory": str(folder / "project")}
    project = model_graph(data, arrays, data["logits"], request)
    graph = read_graph(project, "net")
    with pytest.MonkeyPatch.context() as patch:
        # hls4ml's writer looks for Keras, and does without.
        patch.setitem(sys.modules, "keras", None)
        write_project(project, folder / "project")
    texts = (
        path.read_text(errors="replace")
        for path in sorted((folder / "project").rglob("*"))
        if path.is_file() and "ap_types" not in path.parts and "nnet_utils" not in path.parts
    )
    return graph, "\n".join(texts)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_fml(path)
    assert all(len(str(blocker)) < 1200 for blocker in caught.value.blockers)
    return str(caught.value)


def test_a_saved_graph_is_read() -> None:
    file = read_fml(TINY)
    assert [(layer.name, layer.kind) for layer in file.layers] == [
        ("features", "Input"),
        ("fc1", "Dense"),
        ("fc1_relu", "Activation"),
        ("fc2", "Dense"),
    ]
    assert (file.inputs, file.outputs) == (("features",), ("fc2_softmax",))
    assert (file.logits, file.tail, file.backend) == (("fc2",), "softmax", "Vitis")
    assert file.written_by == "1.3.0" and file.parameters == 4 * 5 + 5 + 5 * 3 + 3
    assert str(file.saved[1].type) == "ap_fixed<35,15>"
    assert "independent witnesses are the graph and the RTL" in file.notes[0]
    assert file.notes[1].startswith("43 of 43 weights are not values of their types")


def test_it_is_told_by_its_content(tmp_path: Path) -> None:
    other = tmp_path / "net.bin"
    other.write_bytes(TINY.read_bytes())
    assert detect(TINY) is detect(other) is detect(tmp_path / "none.fml") is Format.FML
    assert reader_name(other) == "hls4ml" and model_files(other) == (other,)
    stranger = tmp_path / "stranger.gz"
    stranger.write_bytes(gzip.compress(b"something else" * 100))
    assert detect(stranger) is Format.QKERAS_H5
    assert detect(pack(tmp_path / "other.tgz", {"a.txt": b"x"})) is Format.QKERAS_H5


def test_the_graph_computes_what_the_file_says(tmp_path: Path) -> None:
    """Against sums of fractions, with the weights cut as hls4ml's C++ cuts them."""
    file = read_fml(TINY)
    graph, _ = written(file, tmp_path)
    codes = np.random.default_rng(2).integers(-(2**15), 2**15, (50, 4))
    results = evaluate(graph, codes)
    layers = {layer.name: layer for layer in file.saved}
    for row, result in zip(codes.tolist(), results.tolist(), strict=True):
        values = [Fraction(code, 1024) for code in row]
        sums = _dense(values, layers["fc1"].saved)
        # ReLU, cut to 10 fraction bits and wrapped to 16 bits: fixed<16,6>.
        cut = [int(max(value, Fraction(0)) * 1024 // 1) for value in sums]
        values = [Fraction((code + 2**15) % 2**16 - 2**15, 1024) for code in cut]
        assert [value * 2**20 for value in _dense(values, layers["fc2"].saved)] == result


def _dense(values: list[Fraction], arrays: Any) -> list[Fraction]:
    """Exact sums, with weights cut to 10 fraction bits as hls4ml's C++ cuts them."""
    weight, bias = (np.floor(arrays[key] * 1024).astype(int) for key in ("weight", "bias"))
    return [
        sum((v * int(w) for v, w in zip(values, weight[:, column], strict=True)), Fraction(0))
        / 1024
        + Fraction(int(bias[column]), 1024)
        for column in range(len(bias))
    ]


def test_an_unknown_backend_or_interface_is_refused_at_once(tmp_path: Path) -> None:
    config = documents()["config.json"]
    config["config"] |= {"Backend": "oneAPI", "IOType": "io_stream"}
    message = refusal(with_document(tmp_path / "a.fml", "config.json", config))
    assert "the backend 'oneAPI'" in message and "io_type 'io_stream'" in message
    version = documents()["version.json"] | {"model_graph": "2"}
    assert "layout '2'" in refusal(with_document(tmp_path / "b.fml", "version.json", version))


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("backend", "Vivado", "set firmware.backend: Vitis"),
        ("io_type", "io_stream", "leave the key out"),
        ("input_type", "fixed<8,4>", "leave the key out"),
    ],
)
def test_what_the_file_has_settled_is_not_asked_for(
    tmp_path: Path, key: str, value: str, fix: str
) -> None:
    with pytest.raises(ConfigError, match=fix):
        open_fml(TINY, load_config(None, {f"firmware.{key}": value}), tmp_path)


def test_every_blocker_is_told(tmp_path: Path) -> None:
    architecture = documents()[ARCHITECTURE]
    architecture["fc1"]["class_name"] = "hls4ml.model.layers.GarNet"
    architecture["fc1_relu"]["state"]["attributes"]["activation"] = "elu"
    fc2 = architecture["fc2"]["state"]["attributes"]
    fc2["accum_t"]["state"]["precision"]["state"]["width"] = 99
    fc2["n_out"] = -1
    fc2["strategy"] = "distributed_arithmetic"
    message = refusal(with_document(tmp_path / "net.fml", ARCHITECTURE, architecture))
    for part in ("GarNet is not read", "'elu', not one of", "accum_t", "n_out", "distributed"):
        assert part in message


@pytest.mark.parametrize(
    ("layer", "key", "value"),
    [
        ("fc1", "n_in", 5),
        ("fc1", "n_out", 4),
        ("fc1_relu", "n_in", 6),
        ("fc1_relu", "table_size", 1000),
        ("fc2_softmax", "n_in", 2),
        ("fc2_softmax", "table_size", 1 << 19),
        ("fc2_softmax", "axis", 2),
        ("fc2_softmax", "n_outer", 3),
        ("features", "input_shape", [5]),
    ],
)
def test_sizes_that_do_not_agree_are_refused(
    tmp_path: Path, layer: str, key: str, value: Any
) -> None:
    architecture = documents()[ARCHITECTURE]
    architecture[layer]["state"]["attributes"][key] = value
    assert f"layer {layer}" in refusal(
        with_document(tmp_path / "n.fml", ARCHITECTURE, architecture)
    )


def test_a_wrong_shape_of_a_result_is_refused(tmp_path: Path) -> None:
    architecture = documents()[ARCHITECTURE]
    architecture["fc1"]["state"]["attributes"]["fc1"]["state"]["shape"] = [50]
    message = refusal(with_document(tmp_path / "net.fml", ARCHITECTURE, architecture))
    assert "its result: (50,) is not (5,)" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layers: layers["fc2"]["state"].update(inputs=["later"]), "not before it"),
        (lambda layers: layers["fc2"]["state"].update(inputs=[]), "reads 0 tensors"),
        (lambda layers: layers["fc2"]["state"].update(inputs=["features"]), "nothing reads it"),
        (lambda layers: layers["fc1"]["state"].update(outputs=["x"]), "is nothing, not one of"),
        (lambda layers: layers.update({"FC1": layers["fc1"]}), "hls4ml takes it for fc1"),
        (lambda layers: layers.update({"a b": layers["fc1"]}), "cannot be a C\\+\\+ identifier"),
        (lambda layers: layers.clear(), "holds 0 layers"),
    ],
)
def test_layers_that_are_no_network(tmp_path: Path, change: Any, message: str) -> None:
    architecture = documents()[ARCHITECTURE]
    change(architecture)
    with pytest.raises(ModelError, match=message):
        read_fml(with_document(tmp_path / "net.fml", ARCHITECTURE, architecture))


def test_a_softmax_that_is_no_tail_is_refused(tmp_path: Path) -> None:
    state = documents()["graph_state.json"]
    state["outputs"] = ["fc2_softmax", "fc2"]
    message = refusal(with_document(tmp_path / "net.fml", "graph_state.json", state))
    assert "layer fc2_softmax: a softmax within a network that hls4ml converted" in message
    assert "train it as hgq.layers.QSoftmax and compile the HGQ2 file" in message


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, tuple[Any, ...]]]:
    """Where the file may hold any text: one place at a time, with C++ in it.

    What is refused cannot reach anything; what is read gives the plain data of the good file, or
    some that has no text of ours where a key is another. Of the keys every third is tried.
    """
    good, path = read_fml(TINY).to_json(), tmp_path_factory.mktemp("texts") / "net.fml"
    found, refused = [], 0
    for name, content in documents().items():
        places = list(strings(content))
        keys = [place for place in places if place[-1] is None]
        for place in [*(place for place in places if place[-1] is not None), *keys[::3]]:
            try:
                file = read_fml(with_document(path, name, put(content, place, MARK)))
            except ModelError:
                refused += 1
                continue
            told = file.to_json()
            assert told == good or place[-1] is None, place
            assert "owned" not in json.dumps(told), place
            found.append((name, place))
    assert refused > 100
    return found


def test_no_text_of_the_file_becomes_data(unread: list[tuple[str, tuple[Any, ...]]]) -> None:
    places = {place[-1] for _, place in unread}
    assert {"config_cpp", "function_cpp", "OutputDir", "ProjectName", "Part"} <= places
    assert any(place[-2:] == ("include_header", 0) for _, place in unread)
    assert len(unread) > 100


def test_text_in_all_places_at_once_is_not_in_the_project(
    tmp_path: Path, unread: list[tuple[str, tuple[Any, ...]]]
) -> None:
    """The project of a file full of C++ is that of the good one, to the byte."""
    contents = members()
    for name, content in documents().items():
        for place in [path for document, path in unread if document == name]:
            if place[-1] is not None:
                content = put(content, place, MARK)
        contents[name] = json.dumps(content).encode()
    assert contents[ARCHITECTURE].count(b"owned") > 100
    bad = read_fml(pack(tmp_path / "bad.fml", contents))
    for folder in ("bad", "good"):
        (tmp_path / folder).mkdir()
    _, bad_text = written(bad, tmp_path / "bad")
    _, good_text = written(read_fml(TINY), tmp_path / "good")
    assert "owned" not in bad_text and "config2" in bad_text
    assert bad_text.splitlines() == good_text.splitlines()


def link(item: tarfile.TarInfo) -> None:
    if item.name == "fc1_w2_data.npy":
        item.type, item.linkname = tarfile.SYMTYPE, "/etc/passwd"


def hard_link(item: tarfile.TarInfo) -> None:
    if item.name == "fc1_w2_data.npy":
        item.type, item.linkname = tarfile.LNKTYPE, "fc1_b2_data.npy"


def device(item: tarfile.TarInfo) -> None:
    if item.name == "fc1_w2_data.npy":
        item.type = tarfile.CHRTYPE


@pytest.mark.parametrize("change", [link, hard_link, device])
def test_only_plain_files_are_read(tmp_path: Path, change: Any) -> None:
    message = refusal(pack(tmp_path / "net.fml", members(), change))
    assert "is not a plain file" in message or "cannot be read" in message


@pytest.mark.parametrize(
    "name", ["../../evil.npy", "/tmp/evil.npy", "x/../evil.npy", "evil.so", "a\nb.npy"]
)
def test_names_that_hls4ml_does_not_write(tmp_path: Path, name: str) -> None:
    message = refusal(pack(tmp_path / "net.fml", {**members(), name: b"x"}))
    assert "is nothing that hls4ml saves" in message
    assert not list(tmp_path.rglob("evil*"))


def test_events_for_the_test_bench_are_left_alone(tmp_path: Path) -> None:
    path = pack(tmp_path / "net.fml", {**members(), "input_data_tb.npy": b"no array"})
    assert read_fml(path).to_json() == read_fml(TINY).to_json()


def npy(values: Any, **options: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, values, **options)
    return data.getvalue()


def claims(shape: tuple[int, ...]) -> bytes:
    """An array whose header says more than there is."""
    data = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(data, header)
    return data.getvalue() + bytes(160)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.array([{}] * 20, dtype=object), allow_pickle=True), "elements of type object"),
        (npy(np.full((4, 5), np.nan)), "infinities or no numbers"),
        (npy(np.full((4, 5), np.inf)), "infinities or no numbers"),
        (npy(np.zeros((4, 5), dtype="U3")), "elements of type"),
        (npy(np.zeros((4, 5), dtype=complex)), "elements of type"),
        (npy(np.zeros((5, 4))), r"\(5, 4\) is not \(4, 5\)"),
        (npy(np.zeros(20)), r"\(20,\) is not \(4, 5\)"),
        (npy(np.zeros((0, 5))), "0 bytes"),
        (claims((2**40,)), "160 bytes are not"),
        (claims((-4, -5)), "are not"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "no array of numbers"),
        (b"\x93NUMPY\x03\x00" + bytes(50), r"format \(3, 0\)"),
        (b"", "no array of numbers"),
        (b"cposix\nsystem\n(S'false'\ntR.", "no array of numbers"),
    ],
)
def test_arrays_that_are_none(tmp_path: Path, data: bytes, message: str) -> None:
    path = pack(tmp_path / "net.fml", {**members(), "fc1_w2_data.npy": data})
    with pytest.raises(ModelError, match=message):
        read_fml(path)


def test_an_array_that_is_missing(tmp_path: Path) -> None:
    rest = {name: data for name, data in members().items() if name != "fc1_w2_data.npy"}
    assert "is not in the file" in refusal(pack(tmp_path / "net.fml", rest))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fml_archive, "MOST_BYTES", 1 << 20)
    path = pack(tmp_path / "net.fml", {**members(), "big.npy": bytes(2 << 20)})
    assert path.stat().st_size < 1 << 16
    assert "unpacks to more than 1 MiB" in refusal(path)
    monkeypatch.setattr(fml_archive, "MOST_MEMBERS", 5)
    assert "more than 5 members" in refusal(TINY)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"[]", b"{", b'{"a": NaN}', b'{"a": ' + b"1" * 5000 + b"}", b"\xff"]
)
def test_documents_that_are_none(tmp_path: Path, content: bytes) -> None:
    assert ARCHITECTURE in refusal(pack(tmp_path / "n.fml", {**members(), ARCHITECTURE: content}))


def test_a_document_that_is_missing_or_twice(tmp_path: Path) -> None:
    rest = {name: data for name, data in members().items() if not name.endswith(".json")}
    message = refusal(pack(tmp_path / "net.fml", rest))
    assert all(f"holds no {name}" in message for name in documents())
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in [*members().items(), *members().items()]:
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    twice = tmp_path / "twice.fml"
    twice.write_bytes(gzip.compress(raw.getvalue()))
    assert "is there twice" in refusal(twice)


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    data, path = TINY.read_bytes(), tmp_path / "net.fml"
    for size in range(1, len(data), 97):
        path.write_bytes(data[:size])
        assert detect(path) is Format.FML
        refusal(path)


def test_bits_that_flipped(tmp_path: Path) -> None:
    data, path = bytearray(TINY.read_bytes()), tmp_path / "net.fml"
    good = read_fml(TINY).to_json()
    for place in range(0, len(data), 61):
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        # The header of a gzip has places that mean nothing.
        with contextlib.suppress(ModelError):
            assert read_fml(path).to_json() == good
        data[place] ^= 1 << (place % 8)


HOSTILE = (None, True, -1, 0, 2**70, 1e308, "", "x" * 5000, [], [[[]]], {}, {"class_name": 3})


def test_a_file_with_one_thing_changed(tmp_path: Path) -> None:
    """An error message or plain data every time, never a traceback."""
    every = [(name, path) for name, content in documents().items() for path in strings(content)]

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        place=st.sampled_from(every),
        up=st.integers(0, 3),
        value=st.one_of(st.sampled_from(HOSTILE), st.integers(), st.text(max_size=20)),
    )
    def check(place: tuple[str, tuple[Any, ...]], up: int, value: Any) -> None:
        name, path = place
        inner = path[:-1] if path[-1] is None else path
        inner = inner[: max(len(inner) - up, 1)]
        changed = put(documents()[name], inner, value)
        try:
            json.dumps(read_fml(with_document(tmp_path / "net.fml", name, changed)).to_json())
        except BlockedError as error:
            assert error.blockers

    check()


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (0.7501, FixedType(8, 2), 0.75),
        (-0.7501, FixedType(8, 2), -0.765625),
        # Printed with six decimals it is 0.5, as hls4ml's C++ reads it.
        (0.4999999, FixedType(8, 2), 0.5),
        (3.0, FixedType(8, 2), -1.0),
        (3.0, FixedType(8, 2, overflow=Overflow.SAT), 1.984375),
        (0.99, FixedType(4, 2, rounding=Rounding.RND), 1.0),
        (2.7, FixedType(4, 6), 0.0),
    ],
)
def test_weights_as_hls4ml_writes_them(value: float, kind: FixedType, expected: float) -> None:
    assert as_written(np.array([[value]]), SavedType(kind)).tolist() == [[expected]]


def test_a_whole_number_is_printed_without_decimals() -> None:
    kind = SavedType(FixedType(4, 4), whole=True)
    assert as_written(np.array([1.5, 2.4, -0.6]), kind).tolist() == [2, 2, -1]
    assert str(kind) == "ap_int<4>"
