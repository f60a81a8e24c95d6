"""The statuses as JSON, for ``/api/streams`` and the page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from edgeseg.redact import redact
from edgeseg.status import DaemonStatus, Histogram, OutputStatus, StreamStatus, StreamView


def report(streams: Mapping[str, StreamView], daemon: DaemonStatus, *, needs_token: bool) -> dict[str, Any]:
    """Everything that is known, without secrets. Counters grow from the daemon's start; take differences."""
    now = time.monotonic()
    return {
        "version": daemon.version,
        "uptime_s": round(now - daemon.started_at, 1),
        "needs_token": needs_token,
        "streams": [_stream(view.status, now) for view in list(streams.values())],
    }


def _stream(status: StreamStatus, now: float) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state.value,
        "reason": redact(status.reason),
        "effect": status.effect,
        "model": redact(PurePath(status.model).name),
        "width": status.width,
        "height": status.height,
        "fps": round(status.rate(now), 2),
        "last_output_age_s": round(now - status.last_output_at, 3) if status.last_output_at else None,
        "latency": _sum(status.latency),
        "mask_age": _sum(status.mask_age),
        "device": redact(status.device),
        "governor": asdict(status.governor) if status.governor else None,
        "frames": {f"{stage}.{outcome}": n for (stage, outcome), n in sorted(status.frames.copy().items())},
        "present": status.present,
        "reconnects": status.reconnects,
        "outputs": [_output(output) for output in status.outputs.copy()],
    }


def _output(output: OutputStatus) -> dict[str, Any]:
    return {
        "name": redact(output.name),
        "kind": output.kind,
        "where": redact(output.where),
        "state": output.state.value,
        "activity": output.activity,
        "reason": redact(output.reason),
        "reconnects": output.reconnects,
        "sent_bytes": output.sent_bytes,
        "dropped_tags": output.dropped_tags,
        "viewers": output.viewers,
        "recordings": output.recordings,
        "last_file": PurePath(output.last_file).name,
    }


def _sum(histogram: Histogram) -> dict[str, float]:
    return {"count": sum(histogram.counts), "seconds": round(histogram.total, 6)}
