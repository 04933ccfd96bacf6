"""Images per second against the batch size, in bounded time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

LONG_ENOUGH_S: Final = 0.5
"""A batch is repeated until it was measured for so long..."""
MOST_REPEATS: Final = 100
"""...or so often."""


def measure_rates(
    run: Callable[[int], object], batches: Sequence[int], seconds: float
) -> dict[int, float]:
    """Images per second of ``run(batch)``: the median over repetitions.

    batches: rising. seconds: for all of them; a batch that would not end in it, by the rate of
    the one before, is left out, and so are the larger ones.
    """
    started = time.perf_counter()
    found: dict[int, float] = {}
    # Keras traces a loop for the first size and, relaxed, for the second one.
    for batch in batches[:2]:
        run(batch)
    for batch in batches:
        left = seconds - (time.perf_counter() - started)
        if found and batch / found[max(found)] > left:
            break
        times: list[float] = []
        while sum(times) < min(LONG_ENOUGH_S, max(left, 0)) or not times:
            begin = time.perf_counter()
            run(batch)
            times.append(time.perf_counter() - begin)
            if len(times) == MOST_REPEATS:
                break
        found[batch] = batch / statistics.median(times)
    return found
