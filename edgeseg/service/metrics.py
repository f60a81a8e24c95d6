"""Everything the daemon counts, in Prometheus' words.

The numbers are read from the statuses when somebody scrapes; nothing here costs anything on the way of a frame.
Every family is listed in docs/metrics.md, and a test compares.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import PurePath

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edgeseg.redact import redact
from edgeseg.service._children import children_usage, thread_count
from edgeseg.service._recordings import RecordingCollector
from edgeseg.status import DaemonStatus, Histogram, OutputStatus, StreamStatus, StreamView
from edgeseg.types import State

_OUTPUT = ("stream", "output", "kind")


def build_registry(streams: Mapping[str, StreamView], daemon: DaemonStatus) -> CollectorRegistry:
    """A registry of its own, with nothing of other libraries in it, that reads the statuses when it is scraped."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_DaemonCollector(daemon))
    registry.register(_StreamCollector(streams, daemon))
    registry.register(_OutputCollector(streams))
    registry.register(RecordingCollector(lambda: _outputs(streams)))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format (version 0.0.4)."""
    return generate_latest(registry)


class _DaemonCollector(Collector):
    """The process as a whole."""

    def __init__(self, daemon: DaemonStatus) -> None:
        self._daemon = daemon
        self._started_wall = time.time() - (time.monotonic() - daemon.started_at)

    def collect(self) -> Iterable[Metric]:
        build = {"version": self._daemon.version, **{name: redact(text) for name, text in self._daemon.build.items()}}
        yield InfoMetricFamily("edgeseg_build", "Versions of the daemon and of what it was built with.", value=build)
        yield GaugeMetricFamily(
            "edgeseg_start_time_seconds", "When the daemon started, in seconds since the epoch.", self._started_wall
        )
        yield GaugeMetricFamily(
            "edgeseg_uptime_seconds", "How long the daemon has been up.", time.monotonic() - self._daemon.started_at
        )
        yield GaugeMetricFamily("edgeseg_threads", "Threads of the daemon's process.", thread_count())
        children = children_usage()
        yield GaugeMetricFamily("edgeseg_child_processes", "Child processes (ffmpeg) alive.", children.alive)
        yield GaugeMetricFamily(
            "edgeseg_child_resident_memory_bytes", "Resident memory of the child processes.", children.resident_bytes
        )
        yield CounterMetricFamily(
            "edgeseg_child_cpu_seconds_total", "CPU time of the child processes, ended ones included.", children.cpu_s
        )


class _StreamCollector(Collector):
    """What each stream tells, from its source to its encoder."""

    def __init__(self, streams: Mapping[str, StreamView], daemon: DaemonStatus) -> None:
        self._streams = streams
        self._daemon = daemon

    def collect(self) -> Iterable[Metric]:
        statuses = [view.status for view in list(self._streams.values())]
        now = time.monotonic()
        yield from self._facts(statuses, now)
        yield from self._governors(statuses)
        yield from self._counters(statuses)
        yield from self._histograms(statuses)

    def _facts(self, statuses: list[StreamStatus], now: float) -> Iterator[Metric]:
        info = InfoMetricFamily("edgeseg_stream", "What a stream is made of.", labels=["stream"])
        state = GaugeMetricFamily("edgeseg_stream_state", "1 for the state a stream is in.", labels=["stream", "state"])
        width = GaugeMetricFamily("edgeseg_picture_width_pixels", "Width of the output picture.", labels=["stream"])
        height = GaugeMetricFamily("edgeseg_picture_height_pixels", "Height of the output picture.", labels=["stream"])
        rate = GaugeMetricFamily("edgeseg_frames_per_second", "Frames put out lately, per second.", labels=["stream"])
        age = GaugeMetricFamily(
            "edgeseg_last_output_age_seconds",
            "Time since the last new picture left the encoder; since the start of the daemon when there was none.",
            labels=["stream"],
        )
        queue = GaugeMetricFamily(
            "edgeseg_queue_length", "Items waiting between two stages.", labels=["stream", "queue"]
        )
        presence = GaugeMetricFamily("edgeseg_presence", "1 while somebody is in the picture.", labels=["stream"])
        for status in statuses:
            presence.add_metric([status.name], status.present and status.state is State.RUNNING)
            # A model may be configured as a path: its last part is enough, and says nothing about the disk.
            model = redact(PurePath(status.model).name)
            facts = {"model": model, "effect": redact(status.effect), "device": redact(status.device)}
            info.add_metric([status.name], facts)
            _add_state(state, [status.name], status.state)
            width.add_metric([status.name], status.width)
            height.add_metric([status.name], status.height)
            rate.add_metric([status.name], status.rate(now))
            age.add_metric([status.name], now - (status.last_output_at or self._daemon.started_at))
            for name, length in status.queues.copy().items():
                queue.add_metric([status.name, name], length)
        yield from (info, state, width, height, rate, age, queue, presence)

    def _governors(self, statuses: list[StreamStatus]) -> Iterator[Metric]:
        level = GaugeMetricFamily(
            "edgeseg_governor_level", "How many steps down an overloaded stream is; 0 is all of it.", labels=["stream"]
        )
        keep = GaugeMetricFamily(
            "edgeseg_governor_rate_ratio", "Share of the source's pictures that is shown.", labels=["stream"]
        )
        every = GaugeMetricFamily(
            "edgeseg_governor_mask_every", "How many pictures share a mask; 1: each has its own.", labels=["stream"]
        )
        for status in statuses:
            if status.governor is not None:
                level.add_metric([status.name], status.governor.level)
                keep.add_metric([status.name], status.governor.keep)
                every.add_metric([status.name], status.governor.mask_every)
        yield from (level, keep, every)

    def _counters(self, statuses: list[StreamStatus]) -> Iterator[Metric]:
        frames = CounterMetricFamily(
            "edgeseg_frames_total", "Frames by stage and by what became of them.", labels=["stream", "stage", "outcome"]
        )
        reconnects = CounterMetricFamily(
            "edgeseg_source_reconnects_total", "How often the source was opened again.", labels=["stream"]
        )
        restarts = CounterMetricFamily(
            "edgeseg_encoder_restarts_total", "How often the encoder was started again.", labels=["stream"]
        )
        reloads = CounterMetricFamily(
            "edgeseg_model_reloads_total",
            "How often a failing model was loaded again, and how that went.",
            labels=["stream", "outcome"],
        )
        encoded = CounterMetricFamily("edgeseg_encoded_bytes_total", "Bytes out of the encoder.", labels=["stream"])
        came = CounterMetricFamily(
            "edgeseg_presence_appearances_total", "How often somebody came into the picture.", labels=["stream"]
        )
        for status in statuses:
            came.add_metric([status.name], status.appearances)
            for (stage, outcome), count in status.frames.copy().items():
                frames.add_metric([status.name, stage, outcome], count)
            reconnects.add_metric([status.name], status.reconnects)
            restarts.add_metric([status.name], max(0, status.encoder_starts - 1))
            encoded.add_metric([status.name], status.encoded_bytes)
            for outcome, count in status.model_reloads.items():
                reloads.add_metric([status.name, outcome], count)
        yield from (frames, reconnects, restarts, reloads, encoded, came)

    def _histograms(self, statuses: list[StreamStatus]) -> Iterator[Metric]:
        stages = HistogramMetricFamily(
            "edgeseg_stage_seconds", "Time that a frame spends in one stage.", labels=["stream", "stage"]
        )
        latency = HistogramMetricFamily(
            "edgeseg_latency_seconds", "From the capture of a frame to its way out of the encoder.", labels=["stream"]
        )
        mask_age = HistogramMetricFamily(
            "edgeseg_mask_age_seconds",
            "Age of the frame that a mask was made of when a frame, that one or a later, is composited with it.",
            labels=["stream"],
        )
        for status in statuses:
            for stage, histogram in status.stages.copy().items():
                _add_histogram(stages, [status.name, stage], histogram)
            _add_histogram(latency, [status.name], status.latency)
            _add_histogram(mask_age, [status.name], status.mask_age)
        yield from (stages, latency, mask_age)


class _OutputCollector(Collector):
    """What each publisher, recorder and group of viewers tells."""

    def __init__(self, streams: Mapping[str, StreamView]) -> None:
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "edgeseg_output_state", "1 for the state an output is in.", labels=[*_OUTPUT, "state"]
        )
        queue = GaugeMetricFamily("edgeseg_output_queue_length", "Tags that wait for an output.", labels=_OUTPUT)
        viewers = GaugeMetricFamily("edgeseg_viewers", "Viewers that are connected now.", labels=_OUTPUT)
        sent = CounterMetricFamily("edgeseg_output_bytes_total", "Bytes an output has taken.", labels=_OUTPUT)
        tags = CounterMetricFamily(
            "edgeseg_output_tags_total", "Pictures and packets of sound that an output has taken.", labels=_OUTPUT
        )
        dropped = CounterMetricFamily(
            "edgeseg_output_dropped_tags_total",
            "Pictures and packets dropped because an output was slow.",
            labels=_OUTPUT,
        )
        reconnects = CounterMetricFamily(
            "edgeseg_output_reconnects_total", "How often an output was opened again.", labels=_OUTPUT
        )
        for labels, output in _outputs(self._streams):
            _add_state(state, labels, output.state)
            queue.add_metric(labels, output.queue_length)
            viewers.add_metric(labels, output.viewers)
            sent.add_metric(labels, output.sent_bytes)
            tags.add_metric(labels, output.sent_tags)
            dropped.add_metric(labels, output.dropped_tags)
            reconnects.add_metric(labels, output.reconnects)
        yield from (state, queue, viewers, sent, tags, dropped, reconnects)


def _outputs(streams: Mapping[str, StreamView]) -> Iterator[tuple[list[str], OutputStatus]]:
    """Each output with its labels (stream, output, kind)."""
    for view in list(streams.values()):
        seen: set[tuple[str, str]] = set()
        for number, output in enumerate(view.status.outputs.copy()):
            name = redact(output.name)
            # One pair of series with the same labels would make Prometheus refuse the whole page.
            if (name, output.kind) in seen:
                name = f"{name}-{number}"
            seen.add((name, output.kind))
            yield [view.status.name, name, output.kind], output


def _add_state(family: GaugeMetricFamily, labels: list[str], current: State) -> None:
    for state in State:
        family.add_metric([*labels, state.value], state is current)


def _add_histogram(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    family.add_metric(labels, list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.total)
