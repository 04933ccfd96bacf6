from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from trigger_ml import doctor
from trigger_ml.doctor import Finding, diagnose


def by_name(folder: Path) -> dict[str, Finding]:
    found = diagnose(folder)
    assert len({finding.name for finding in found}) == len(found)
    return {finding.name: finding for finding in found}


def test_this_environment_can_compile(tmp_path: Path) -> None:
    found = by_name(tmp_path)
    assert [finding for finding in found.values() if finding.blocking] == []
    assert found["hls4ml"].found == "1.3.0"
    assert found["Python"].found == ".".join(map(str, sys.version_info[:3]))
    assert found["g++"].found is not None
    assert "(/" in found["g++"].found
    assert int(found["cores"].found or 0) >= 1
    assert (found["memory"].found or "").endswith(" GiB")
    assert found["package qkeras"].found == "QKeras"
    assert found["HGQ2"].found == "0.2.0"


def test_it_imports_no_tensorflow() -> None:
    code = (
        "import sys, trigger_ml.doctor as d; d.diagnose(); "
        "print(sorted({'tensorflow', 'keras', 'tf_keras', 'qkeras', 'hls4ml', 'alkaid', 'pyosys'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_absence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", absent)
    monkeypatch.setattr(doctor, "packages_distributions", dict)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TRIGGER_ML_HGQ2", str(tmp_path))
    found = by_name(tmp_path)
    missing = [finding for finding in found.values() if finding.found is None]
    assert len(missing) == len(doctor.PACKAGES) + len(doctor.PROGRAMS) + 3
    assert all(finding.how and finding.purpose for finding in missing)
    assert found["g++"] == Finding(
        "g++",
        "builds the C simulation and Verilator's model",
        None,
        "install the Debian package g++",
        True,
    )
    assert found["g++"].blocking
    assert not found["vivado"].blocking
    assert found["open synthesis"].found is None


def test_a_package_past_its_pin_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"pyparsing": "3.2.0", "onnx": "1.23.2"}
    monkeypatch.setattr(doctor, "version", lambda name: versions.get(name, "1.0"))
    found = by_name(tmp_path)
    assert found["pyparsing"].problem == (
        "QKeras 0.9.0 cannot read its quantizers with 3.2 and later"
    )
    assert found["pyparsing"].blocking
    assert found["onnx"].problem
    assert not found["onnx"].blocking
    assert found["numpy"].good


def test_hgq2_is_looked_for_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIGGER_ML_HGQ2", str(tmp_path))
    missing = doctor._hgq2()
    assert missing.found is None
    assert f"--no-deps --target {tmp_path} HGQ2==0.2.0" in missing.how
    (tmp_path / "hgq").mkdir()
    (tmp_path / "hgq" / "__init__.py").touch()
    (tmp_path / "hgq2-0.1.9.dist-info").mkdir()
    old = doctor._hgq2()
    assert (old.found, old.good, old.blocking) == ("0.1.9", False, False)


@pytest.mark.parametrize(("text", "wrong"), [("3.1.4", False), ("3.2", True), ("3.10.1", True)])
def test_versions_compare_by_number(
    monkeypatch: pytest.MonkeyPatch, text: str, wrong: bool
) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: text)
    package = next(p for p in doctor.PACKAGES if p.name == "pyparsing")
    assert bool(doctor._package(package).problem) == wrong


@pytest.mark.parametrize(
    ("owners", "problem"),
    [
        (["QKeras"], ""),
        (["QKeras", "QKeras"], ""),
        (["QKeras", "HGQ2"], "they overwrite each other's files"),
        (["qkeras-v3", "QKeras", "HGQ2"], "they overwrite each other's files"),
        (["HGQ2"], "HGQ2's qkeras cannot read QKeras models"),
        (["qkeras-v3"], "qkeras-v3's qkeras cannot read QKeras models"),
    ],
)
def test_who_owns_qkeras(owners: list[str], problem: str) -> None:
    finding = doctor._qkeras_owners({"qkeras": owners, "numpy": ["numpy"]})
    assert finding.found == ", ".join(sorted(set(owners)))
    assert finding.problem.startswith(problem)
    assert finding.blocking == bool(problem)


@pytest.mark.parametrize(
    ("text", "found", "problem"),
    [
        ("#!/bin/sh\necho g++ '(Debian)' 12.2.0\n", "12.2.0", False),
        ("#!/bin/sh\n", "/", False),
        ("#!/bin/sh\necho broken; exit 3\n", "/", True),
    ],
)
def test_a_program_that_cannot_tell_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: str, problem: bool
) -> None:
    program = tmp_path / "g++"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    finding = doctor._program(doctor.PROGRAMS[0], tmp_path)
    assert finding.found is not None
    assert finding.found.startswith(found)
    assert str(program) in finding.found
    assert bool(finding.problem) == problem
    assert finding.blocking == problem


@pytest.mark.parametrize(
    ("python", "good"), [((3, 11, 7), True), ((3, 12, 0), False), ((3, 10, 9), False)]
)
def test_python(python: tuple[int, int, int], good: bool) -> None:
    assert doctor._python(python).good == good


def test_space_is_that_of_the_folder_to_come(tmp_path: Path) -> None:
    finding = {f.name: f for f in doctor._machine(tmp_path / "not" / "yet")}["free disk"]
    assert "not/yet" in finding.purpose
    assert doctor._amount("free disk", "", 1.0, 2.0, "").problem == (
        "less than the 2 GiB that a build takes"
    )
