"""Small random graphs for tests."""

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st

from trigger_ml.graph.model import Dense, FixedGraph, Input, Node, Relu, frozen_codes
from trigger_ml.graph.types import FixedType, Overflow, Rounding


def small_types() -> st.SearchStrategy[FixedType]:
    """Types narrow enough that overflow and rounding happen all the time."""
    return st.builds(
        FixedType,
        st.integers(2, 8),
        st.integers(0, 5),
        st.booleans(),
        st.sampled_from((Rounding.TRN, Rounding.RND, Rounding.RND_CONV)),
        st.sampled_from((Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)),
    )


def chain(
    random: np.random.Generator, sizes: Sequence[int], kind: Callable[[], FixedType]
) -> FixedGraph:
    """Dense layers with a ReLU between them; every type drawn anew."""
    nodes = [Node("x", Input(), (), (sizes[0],), kind())]
    for level, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weight_type, bias_type, drawn = kind(), kind(), kind()
        accumulator = FixedType(drawn.width + 4, drawn.integer + 2)
        dense = Dense(
            frozen_codes(_draw(random, weight_type, (rows, columns))),
            weight_type,
            frozen_codes(_draw(random, bias_type, (columns,))),
            bias_type,
            accumulator,
        )
        nodes.append(Node(f"fc{level}", dense, (nodes[-1].name,), (columns,), kind()))
        if level < len(sizes) - 2:
            nodes.append(Node(f"relu{level}", Relu(), (nodes[-1].name,), (columns,), kind()))
    return FixedGraph("chain", tuple(nodes), (nodes[-1].name,))


def _draw(
    random: np.random.Generator, kind: FixedType, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return random.integers(kind.min_code, kind.max_code + 1, shape)
