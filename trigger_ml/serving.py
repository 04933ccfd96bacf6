"""Both ends of a conversation with a worker process: JSON requests in, JSON answers out.

A process that holds heavy libraries calls :func:`serve` with one function for each verb; the
main process holds a :class:`trigger_ml.toolrun.Worker` and calls :func:`ask`. What the input
blocks travels as data, so that the same error is raised here as there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ConfigError, DataError, ModelError
from trigger_ml.toolrun import Worker

__all__ = ["Verb", "ask", "serve"]

Verb = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes a request, returns the content of its answer; both are plain data for JSON."""

_KINDS: Final[Mapping[str, type[BlockedError]]] = {
    "config": ConfigError,
    "data": DataError,
    "model": ModelError,
}


def serve(verbs: Mapping[str, Verb]) -> None:
    """Answer requests from the standard input, one line each, until it ends.

    Every request names its verb under the key ``do``. A BlockedError becomes an answer; any
    other exception ends the process, and what it printed goes into the caller's error.
    """
    with os.fdopen(int(os.environ["TRIGGER_ML_ANSWERS"]), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict[str, Any]
            try:
                answer = {"answer": verbs[request["do"]](request)}
            except BlockedError as error:
                answer = {"blocked": _blocked(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def ask(worker: Worker, **request: Any) -> dict[str, Any]:
    """Send one request (``do`` and whatever its verb takes) and return the answer's content.

    Raises ConfigError, DataError or ModelError as the worker did, and ToolFailedError when it
    ends instead of answering.
    """
    answer = worker.ask(request)
    if "blocked" in answer:
        blockers = [Blocker(*texts) for texts in answer["blocked"]["blockers"]]
        raise _KINDS[answer["blocked"]["kind"]](blockers)
    content: dict[str, Any] = answer["answer"]
    return content


def _blocked(error: BlockedError) -> dict[str, Any]:
    kind = next((name for name, known in _KINDS.items() if isinstance(error, known)), "model")
    return {"kind": kind, "blockers": [[b.where, b.what, b.fix] for b in error.blockers]}
