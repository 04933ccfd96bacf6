"""pytest support: a build as a regression test, in two lines.

    def test_firmware(trigger_ml_check):
        trigger_ml_check("build/jet_tagger")

The fixture is there as soon as trigger_ml is installed. It repeats the build's measurements and
fails with every verdict that does not pass.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["trigger_ml_check"]


@pytest.fixture
def trigger_ml_check() -> Callable[..., None]:
    """Holds a build directory to its lock. Call it with the path; synthesis=False is quicker."""

    def check(build: str | Path, *, synthesis: bool = True) -> None:
        from trigger_ml.build_check import check_build
        from trigger_ml.hls_only import check_hls_only
        from trigger_ml.report.hls_only import is_hls_only

        path = Path(build)
        alone = is_hls_only(path)
        outcome = check_hls_only(path) if alone else check_build(path, synthesis=synthesis)
        failed = [f"{v.name}: {v.message}" for v in outcome.verdicts if not v.passed]
        if outcome.divergence:
            failed.append(outcome.divergence)
        if not outcome.passed:
            pytest.fail("\n".join(failed) or "nothing was measured", pytrace=False)

    return check
