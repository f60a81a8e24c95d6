"""Prometheus' own opinion of the metrics and of the alerting rules."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgeseg.service.metrics import build_registry, exposition
from edgeseg.status import DaemonStatus
from tests.unit.test_metrics import busy_stream

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "docs" / "alerts.yml"


def promtool(*arguments: str, given: bytes = b"") -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, timeout=30)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


def test_metrics_are_clean() -> None:
    streams = {name: busy_stream(name) for name in ("door", "yard")}
    page = exposition(build_registry(streams, DaemonStatus("1.2.3", build={"openvino": "2026.4"})))
    assert promtool("check", "metrics", given=page) == ""


def test_rules_are_right() -> None:
    assert "10 rules found" in promtool("check", "rules", str(RULES))


def test_rules_fire_on_what_they_are_about(tmp_path: Path) -> None:
    """`promtool test rules`: a camera that is away, an output that backs off, covered frames, overload; and peace elsewhere."""

    def series(name: str, values: str, **labels: str) -> dict[str, str]:
        within = ",".join(f'{label}="{text}"' for label, text in {**labels, "instance": "box"}.items())
        return {"series": f"{name}{{{within}}}", "values": values}

    def alert(name: str, severity: str, summary: str, description: str = "", **labels: str) -> dict[str, Any]:
        told = {"summary": summary} | ({"description": description} if description else {})
        expected = {"exp_labels": {"severity": severity, "instance": "box", **labels}, "exp_annotations": told}
        return {"eval_time": "4m", "alertname": name, "exp_alerts": [expected]}

    live = {"stream": "door", "output": "live", "kind": "publish", "state": "running"}
    viewers = {"stream": "door", "output": "http", "kind": "viewers", "state": "running"}
    case = {
        "interval": "15s",
        "input_series": [
            series("edgeseg_last_output_age_seconds", "31x20", stream="door"),
            series("edgeseg_last_output_age_seconds", "0.03x20", stream="yard"),
            series("edgeseg_governor_level", "2x40", stream="door"),
            series("edgeseg_governor_level", "0x40", stream="yard"),
            series("edgeseg_output_state", "0x20", **live),
            series("edgeseg_output_state", "0x20", **viewers),
            series("edgeseg_frames_total", "0+30x20", stream="door", stage="composite", outcome="covered"),
            series("edgeseg_frames_total", "0x20", stream="yard", stage="composite", outcome="covered"),
            series("edgeseg_recording_gap_seconds_total", "0x8 30x12", stream="door", output="recorder"),
            series("edgeseg_recording_gap_seconds_total", "7x20", stream="yard", output="recorder"),
        ],
        "alert_rule_test": [
            alert(
                "EdgesegStreamDown",
                "critical",
                "stream door on box has put out no picture for 31s",
                "journalctl -u edgeseg tells why; /api/streams gives the reason too.",
                stream="door",
            ),
            alert(
                "EdgesegOverloaded",
                "warning",
                "stream door: box is overloaded (level 2)",
                "Fewer pictures are shown than the camera sends. edgeseg_stage_seconds tells which stage takes the time.",
                stream="door",
            )
            | {"eval_time": "8m"},
            alert("EdgesegOutputDown", "warning", "output live of stream door on box is not running", **live),
            alert(
                "EdgesegMaskLost",
                "warning",
                "stream door on box covers pictures because it has no mask for them",
                stream="door",
            ),
            alert(
                "EdgesegRecordingGap",
                "warning",
                "30 s of stream door on box are in no recording",
                "The stream went on and the recorder did not: a disk that is full, slow or away. The log tells which.",
                stream="door",
                output="recorder",
            ),
        ],
    }
    cases = tmp_path / "cases.yml"
    # JSON is YAML too.
    cases.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [case]}))
    promtool("test", "rules", str(cases))
