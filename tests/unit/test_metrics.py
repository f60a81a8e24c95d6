"""What Prometheus reads: right numbers, nothing secret, all of it documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.redact import learn_secret
from edgeseg.service.metrics import build_registry, exposition
from edgeseg.status import DaemonStatus, GovernorStatus, LatestFrame, OutputStatus, StreamStatus, Subscriber
from edgeseg.types import State

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


class Stream:
    """As much of a stream as metrics look at."""

    def __init__(self, name: str) -> None:
        self.status = StreamStatus(name, effect="blur", model="/srv/models/selfie")
        self.latest = LatestFrame()

    def subscribe(self, subscriber: Subscriber) -> None: ...

    def unsubscribe(self, subscriber: Subscriber) -> None: ...


def scrape(*streams: Stream) -> tuple[str, dict[str, list[Sample]]]:
    registry = build_registry({stream.status.name: stream for stream in streams}, DaemonStatus("1.2.3"))
    text = exposition(registry).decode()
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return text, samples


def busy_stream(name: str = "door") -> Stream:
    stream = Stream(name)
    status = stream.status
    status.state = State.RUNNING
    status.source_starts = 3
    status.encoder_starts = 2
    status.count("source", "read", 100)
    status.count("encode", "dropped", 4)
    status.queues["worker"] = 1
    for seconds in (0.0001, 0.003, 0.003, 99.0):
        status.stage("infer").observe(seconds)
    recorder = RecordStatus("disk", "record", "/var/lib/edgeseg", State.RUNNING, sent_bytes=70, recordings=7)
    recorder.events = 6
    status.present, status.appearances = True, 9
    recorder.recovered, recorder.gaps_ms, recorder.removed = 1, 2500, {"age": 4}
    recorder.kept_segments, recorder.kept_bytes, recorder.oldest_at, recorder.free_bytes = 3, 30, 1.7e9, 5000
    status.outputs = [
        OutputStatus("live", "publish", "rtmp://server/app/***", State.BACKING_OFF, starts=5, sent_bytes=1000),
        recorder,
    ]
    return stream


def value(samples: dict[str, list[Sample]], name: str, **labels: str) -> float:
    found = [sample.value for sample in samples[name] if labels.items() <= sample.labels.items()]
    assert len(found) == 1, f"{name} {labels}: {found}"
    return found[0]


def test_counters_are_the_statuses() -> None:
    _, samples = scrape(busy_stream())
    assert value(samples, "edgeseg_frames_total", stream="door", stage="source", outcome="read") == 100
    assert value(samples, "edgeseg_frames_total", stage="encode", outcome="dropped") == 4
    assert value(samples, "edgeseg_source_reconnects_total", stream="door") == 2
    assert value(samples, "edgeseg_encoder_restarts_total", stream="door") == 1
    assert value(samples, "edgeseg_output_reconnects_total", output="live") == 4
    assert value(samples, "edgeseg_queue_length", queue="worker") == 1
    assert value(samples, "edgeseg_build_info", version="1.2.3") == 1


def test_a_model_that_was_loaded_again_elsewhere_is_told() -> None:
    stream = busy_stream()
    stream.status.runs_on("GPU")
    stream.status.model_reloaded(False)
    stream.status.model_reloaded(True)
    stream.status.runs_on("CPU")
    _, samples = scrape(stream)
    assert value(samples, "edgeseg_stream_info", stream="door", device="CPU") == 1
    assert value(samples, "edgeseg_model_reloads_total", stream="door", outcome="ok") == 1
    assert value(samples, "edgeseg_model_reloads_total", stream="door", outcome="failed") == 1


def test_histograms_are_cumulative_and_complete() -> None:
    _, samples = scrape(busy_stream())
    buckets = {sample.labels["le"]: sample.value for sample in samples["edgeseg_stage_seconds_bucket"]}
    assert (buckets["0.0005"], buckets["0.002"], buckets["0.004"], buckets["5.0"], buckets["+Inf"]) == (1, 1, 3, 3, 4)
    assert value(samples, "edgeseg_stage_seconds_count", stage="infer") == 4
    assert round(value(samples, "edgeseg_stage_seconds_sum", stage="infer"), 4) == 99.0061


def test_each_state_is_one_label_and_one_of_them_is_set() -> None:
    _, samples = scrape(busy_stream())
    for name in ("edgeseg_stream_state", "edgeseg_output_state"):
        assert {sample.labels["state"] for sample in samples[name]} == {state.value for state in State}
    assert value(samples, "edgeseg_output_state", output="live", state="backing_off") == 1
    assert sum(sample.value for sample in samples["edgeseg_output_state"] if sample.labels["output"] == "live") == 1


def test_only_recorders_have_recordings() -> None:
    _, samples = scrape(busy_stream())
    assert value(samples, "edgeseg_recording_segments_total") == 7
    assert value(samples, "edgeseg_recording_bytes_total", output="disk") == 70
    assert value(samples, "edgeseg_recording_events_total", output="disk") == 6


def test_who_is_there_is_told_while_the_stream_runs() -> None:
    stream = busy_stream()
    assert value(scrape(stream)[1], "edgeseg_presence", stream="door") == 1
    assert value(scrape(stream)[1], "edgeseg_presence_appearances_total", stream="door") == 9
    stream.status.state = State.BACKING_OFF
    assert value(scrape(stream)[1], "edgeseg_presence", stream="door") == 0


def test_recorders_tell_what_is_kept_what_is_missing_and_how_much_room_there_is() -> None:
    _, samples = scrape(busy_stream())
    disk = {"stream": "door", "output": "disk"}
    assert value(samples, "edgeseg_recording_recovered_total", **disk) == 1
    assert value(samples, "edgeseg_recording_gap_seconds_total", **disk) == 2.5
    assert value(samples, "edgeseg_recording_removed_total", reason="age", **disk) == 4
    assert value(samples, "edgeseg_recording_removed_total", reason="space", **disk) == 0
    assert value(samples, "edgeseg_recording_kept_segments", **disk) == 3
    assert value(samples, "edgeseg_recording_kept_bytes", **disk) == 30
    assert value(samples, "edgeseg_recording_oldest_timestamp_seconds", **disk) == 1.7e9
    assert value(samples, "edgeseg_recording_free_bytes", **disk) == 5000


def test_outputs_of_one_name_do_not_collide() -> None:
    stream = busy_stream()
    stream.status.outputs.append(OutputStatus("live", "publish", "rtmp://other/app/***", sent_bytes=5))
    _, samples = scrape(stream)
    names = [sample.labels["output"] for sample in samples["edgeseg_output_bytes_total"]]
    assert len(set(names)) == len(names) == 3


def test_no_secret_and_no_path_gets_into_labels() -> None:
    learn_secret("hunter2hunter2")
    stream = busy_stream()
    stream.status.outputs[0].name = "rtmp://u:hunter2hunter2@server/app"
    text, _ = scrape(stream)
    assert "hunter2" not in text
    assert "/srv/models" not in text
    assert 'model="selfie"' in text


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    registry_text, _ = scrape(busy_stream())
    exported = set(re.findall(r"^# TYPE (\S+)", registry_text, flags=re.MULTILINE))
    documented = set(re.findall(r"^\| `([a-z_]+)`", DOCUMENT.read_text(), flags=re.MULTILINE))
    assert documented == exported


@pytest.mark.parametrize(
    ("fps", "last_at", "told"),
    [(25.0, 99.0, 25.0), (25.0, 97.0, 0.0), (0.2, 90.0, 0.2), (0.2, 80.0, 0.0), (25.0, 0.0, 0.0), (0.0, 100.0, 0.0)],
)
def test_no_rate_is_told_of_pictures_that_do_not_come(fps: float, last_at: float, told: float) -> None:
    status = StreamStatus("door", fps=fps, last_output_at=last_at)
    assert status.rate(100.0) == told


@pytest.mark.parametrize("gap_ms", [17, 40, 200, 900, 1000, 2500, 8000])
def test_the_rate_is_told_of_slow_cameras_too(gap_ms: int) -> None:
    status = StreamStatus("door", fps=25.0)
    for _ in range(1 + 6000 // gap_ms):
        status.paced(gap_ms)
    assert status.fps == pytest.approx(1000 / gap_ms, rel=0.02)
    status.last_output_at = 100.0
    assert status.rate(100.0 + gap_ms / 1000) == status.fps


def test_pictures_in_heaps_are_counted_as_many_as_they_are() -> None:
    status, rates = StreamStatus("door", fps=25.0), []
    for _ in range(20):
        for gap_ms in (*(5,) * 9, 355):  # ten in 400 ms
            status.paced(gap_ms)
            rates.append(status.fps)
    assert all(15 < fps < 35 for fps in rates[100:])


@pytest.mark.parametrize("gap_ms", [0, -40])
def test_times_that_do_not_go_on_say_nothing_of_the_rate(gap_ms: int) -> None:
    status = StreamStatus("door", fps=25.0)
    status.paced(gap_ms)
    assert status.fps == 25.0


def test_the_age_of_a_mask_is_that_of_the_picture_it_was_made_of() -> None:
    text, _ = scrape(busy_stream())
    told = next(line for line in text.splitlines() if line.startswith("# HELP edgeseg_mask_age_seconds"))
    assert "frame that a mask was made of" in told


def test_the_governor_tells_what_it_does_and_only_where_there_is_one() -> None:
    door, clip = busy_stream("door"), busy_stream("clip")
    door.status.governor = GovernorStatus(2, 5, 0.5, 3)
    _, samples = scrape(door, clip)
    assert value(samples, "edgeseg_governor_level", stream="door") == 2
    assert value(samples, "edgeseg_governor_rate_ratio", stream="door") == 0.5
    assert value(samples, "edgeseg_governor_mask_every", stream="door") == 3
    assert [sample.labels["stream"] for sample in samples["edgeseg_governor_level"]] == ["door"]
