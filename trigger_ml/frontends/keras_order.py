"""The order in which Keras 2 lists the layers of a functional model that it has built."""

from __future__ import annotations

from collections.abc import Sequence

from trigger_ml.frontends.model_file import Layer

__all__ = ["built_order"]


def built_order(layers: Sequence[Layer], outputs: Sequence[str]) -> list[Layer]:
    """Layers by their depth, the longest way to an output, deepest first.

    Those of one depth are in the order in which a walk back from the outputs meets them first
    (``_map_graph_network`` in keras/engine/functional.py). layers: in evaluation order, all of
    them before an output.
    """
    by_name = {layer.name: layer for layer in layers}
    met: dict[str, int] = {}
    done: dict[str, None] = {}
    # A stack, for networks may be deeper than Python calls: a name comes back to be done.
    stack = [(name, False) for name in reversed(outputs)]
    while stack:
        name, finished = stack.pop()
        if finished:
            done.setdefault(name)
        elif name not in met:
            met[name] = len(met)
            stack.append((name, True))
            stack += [(read, False) for read in reversed(by_name[name].inputs)]
    depth = dict.fromkeys(done, 0)
    for name in reversed(done):
        for read in by_name[name].inputs:
            depth[read] = max(depth[read], depth[name] + 1)
    return sorted(
        (by_name[name] for name in done), key=lambda layer: (-depth[layer.name], met[layer.name])
    )
