"""Where the clocks of the latency go: registers, layers, kernels, columns in and out."""

from __future__ import annotations

from trigger_ml.lower.build import FirmwareLogic
from trigger_ml.lower.rtl import Logic
from trigger_ml.lower.stream.schedule import schedule
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.report.trace_sections import Span

__all__ = ["timeline"]


def timeline(logic: FirmwareLogic, latency_cycles: int) -> tuple[Span, ...]:
    """Spans of the latency, the earliest first.

    latency_cycles: counted in simulation. Of a stream, those of an image's last group of columns;
    they end at the latency when the RTL is what was planned. Of one pipeline, where a layer ends
    is placed in proportion to the estimated delay of its logic, because a stage may hold the end
    of one layer and the start of the next; the first clock is the input register.
    """
    if isinstance(logic, StreamLogic):
        return _stream(logic)
    return _pipeline(logic, latency_cycles)


def _pipeline(logic: Logic, cycles: int) -> tuple[Span, ...]:
    ends = logic.layer_delay
    longest = max(ends.values(), default=0.0)
    spans = [Span(name="input register", kind="register", start_cycles=0, stop_cycles=1)]
    start = 1.0
    for name, end_ns in ends.items():
        # A path through a later layer can be shorter than one that ends before it.
        part = end_ns / longest if longest > 0 else 1.0
        stop = max(start, 1 + part * (cycles - 1))
        spans.append(
            Span(name=name, kind="layer", start_cycles=start, stop_cycles=stop, estimated=True)
        )
        start = stop
    return tuple(spans)


def _stream(logic: StreamLogic) -> tuple[Span, ...]:
    plan, times = logic.plan, schedule(logic.plan, logic.kernels)
    last = plan.groups - 1
    first = last + 1
    spans = []
    if last:
        name = f"columns in: {plan.groups} groups"
        spans.append(Span(name=name, kind="input", start_cycles=0, stop_cycles=last))
    spans.append(
        Span(name="framing, input register", kind="register", start_cycles=last, stop_cycles=first)
    )
    for part in plan.kernels:
        start = first + times.ready(part)
        stop = start + logic.kernels[part.name].latency_cycles
        spans.append(Span(name=part.name, kind="kernel", start_cycles=start, stop_cycles=stop))
    done = first + times.total
    if plan.flush:
        name = "windows: columns to the right"
        stop = done + plan.flush
        spans.append(Span(name=name, kind="window", start_cycles=done, stop_cycles=stop))
    total = logic.latency_cycles
    if last:
        name = f"columns out: {plan.groups} groups"
        spans.append(Span(name=name, kind="output", start_cycles=total - last, stop_cycles=total))
    return tuple(spans)
