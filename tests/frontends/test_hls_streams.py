"""What hls4ml's streaming C++ lacks: compiled, against the same comparisons in Python."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hls4ml
import numpy as np
import pytest

from trigger_ml.frontends.hls_rectifiers import CLIPPED
from trigger_ml.frontends.hls_streams import ACTIVATION, POOLING, complete_stream

TEMPLATES = Path(hls4ml.__file__).parent / "templates"
MAIN = """
#include <cstdio>
#include "ap_fixed.h"
#include "nnet_utils/nnet_types.h"
#include "nnet_utils/nnet_activation_stream.h"
struct config { static const unsigned n_in = 4; };
typedef nnet::array<ap_fixed<6, 4>, 2> in_t;
typedef nnet::array<ap_ufixed<4, 2>, 2> out_t;
int main() {
    for (int code = -32; code < 32; code += 2) {
        hls::stream<in_t> in;
        hls::stream<out_t> out;
        for (int pixel = 0; pixel < 2; pixel++) {
            in_t value;
            for (int k = 0; k < 2; k++) value[k] = (code + k) * 0.25;
            in.write(value);
        }
        nnet::relu_max<in_t, out_t, 3, config>(in, out);
        for (int pixel = 0; pixel < 2; pixel++) {
            out_t made = out.read();
            printf("%g %g ", made[0].to_double(), made[1].to_double());
        }
    }
}
"""


def project(interface: str, *kinds: str) -> Any:
    config = SimpleNamespace(get_config_value=lambda key: interface if key == "IOType" else None)
    layers = [
        SimpleNamespace(class_name=kind, get_attr=lambda key: 2 + (key == "stride_width"))
        for kind in kinds
    ]
    return SimpleNamespace(config=config, get_layers=lambda: layers)


def written(folder: Path, backend: str = "vivado") -> Path:
    path = folder / ACTIVATION
    path.parent.mkdir(parents=True)
    source = TEMPLATES / backend
    source = source / "firmware" if backend == "quartus" else source
    for header in (source / "nnet_utils").glob("*.h"):
        (path.parent / header.name).write_text(header.read_text("utf-8"), "utf-8")
    return path


def test_a_stream_is_cut_at_a_whole_number(tmp_path: Path) -> None:
    written(tmp_path)
    complete_stream(project("io_stream", "Activation", CLIPPED), tmp_path)
    source = tmp_path / "main.cpp"
    source.write_text(MAIN, encoding="utf-8")
    folders = (TEMPLATES / "vivado" / "ap_types", tmp_path / "firmware")
    includes = [f"-I{folder}" for folder in folders]
    program = tmp_path / "main"
    subprocess.run(["g++", "-w", *includes, str(source), "-o", str(program)], check=True)
    said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    codes = np.array([code + k for code in range(-32, 32, 2) for _ in range(2) for k in range(2)])
    assert np.array_equal(np.array(said.split(), float), np.clip(codes / 4, 0, 3))


@pytest.mark.parametrize(
    ("interface", "kind", "backend"),
    [
        ("io_parallel", CLIPPED, "vivado"),
        ("io_stream", "Activation", "vivado"),
        ("io_stream", CLIPPED, "quartus"),
    ],
)
def test_other_projects_stay_as_hls4ml_writes_them(
    interface: str, kind: str, backend: str, tmp_path: Path
) -> None:
    path = written(tmp_path, backend)
    before = path.read_text(encoding="utf-8")
    complete_stream(project(interface, kind), tmp_path)
    assert path.read_text(encoding="utf-8") == before
    path.unlink()
    complete_stream(project("io_stream", CLIPPED), tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["Pooling1D", "Pooling2D"])
def test_windows_need_not_touch(kind: str, tmp_path: Path) -> None:
    before = written(tmp_path).with_name(POOLING.name).read_text(encoding="utf-8")
    complete_stream(project("io_stream", "Activation", "GlobalPooling2D"), tmp_path)
    assert (tmp_path / POOLING).read_text(encoding="utf-8") == before
    complete_stream(project("io_stream", kind), tmp_path)
    after = (tmp_path / POOLING).read_text(encoding="utf-8")
    lost = set(before.splitlines()) - set(after.splitlines())
    assert len(lost) == 2 and all("assert(CONFIG_T::pool_" in line for line in lost)
    assert "stride" in after and "assert(CONFIG_T::pad_top == 0" in after
