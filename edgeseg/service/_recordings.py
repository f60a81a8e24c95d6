"""What the recorders tell: what they wrote, what is kept, what is missing, and how much room there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.status import OutputStatus

_LABELS = ("stream", "output")
_RECORDERS = frozenset({"record", "recorder", "recording"})
# Why retention removes a segment.
_REASONS = ("age", "size", "space")


class RecordingCollector(Collector):
    """Reads the statuses of the recorders when somebody scrapes.

    Args:
        outputs: gives every output with its labels (stream, output, kind).
    """

    def __init__(self, outputs: Callable[[], Iterable[tuple[list[str], OutputStatus]]]) -> None:
        self._outputs = outputs

    def collect(self) -> Iterable[Metric]:
        segments = CounterMetricFamily(
            "edgeseg_recording_segments_total", "Recording segments that were closed.", labels=_LABELS
        )
        recorded = CounterMetricFamily("edgeseg_recording_bytes_total", "Bytes handed to the recorder.", labels=_LABELS)
        events = CounterMetricFamily(
            "edgeseg_recording_events_total", "Events that were begun to be recorded.", labels=_LABELS
        )
        recovered = CounterMetricFamily(
            "edgeseg_recording_recovered_total", "Segments that were saved after they were cut off.", labels=_LABELS
        )
        gaps = CounterMetricFamily(
            "edgeseg_recording_gap_seconds_total", "Time of the stream that no segment holds.", labels=_LABELS
        )
        removed = CounterMetricFamily(
            "edgeseg_recording_removed_total", "Segments that retention removed.", labels=(*_LABELS, "reason")
        )
        kept = GaugeMetricFamily("edgeseg_recording_kept_segments", "Segments on the disk.", labels=_LABELS)
        size = GaugeMetricFamily("edgeseg_recording_kept_bytes", "Size of the segments on the disk.", labels=_LABELS)
        oldest = GaugeMetricFamily(
            "edgeseg_recording_oldest_timestamp_seconds",
            "When the oldest segment began, in seconds since the epoch; 0 when there is none.",
            labels=_LABELS,
        )
        free = GaugeMetricFamily(
            "edgeseg_recording_free_bytes", "Room on the file system that is recorded to.", labels=_LABELS
        )
        for (stream, output, kind), status in self._outputs():
            labels = [stream, output]
            if kind in _RECORDERS:
                segments.add_metric(labels, status.recordings)
                recorded.add_metric(labels, status.sent_bytes)
            if isinstance(status, RecordStatus):
                events.add_metric(labels, status.events)
                recovered.add_metric(labels, status.recovered)
                gaps.add_metric(labels, status.gaps_ms / 1000)
                for reason in _REASONS:
                    removed.add_metric([*labels, reason], status.removed.get(reason, 0))
                kept.add_metric(labels, status.kept_segments)
                size.add_metric(labels, status.kept_bytes)
                oldest.add_metric(labels, status.oldest_at)
                free.add_metric(labels, status.free_bytes)
        yield from (segments, recorded, events, recovered, gaps, removed, kept, size, oldest, free)
