"""Prometheus' own opinion of the metrics and of the alerting rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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
    assert "8 rules found" in promtool("check", "rules", str(RULES))


def test_rules_fire_on_what_they_are_about(tmp_path: Path) -> None:
    """`promtool test rules`: a camera that went away, an output that backs off, covered frames; and peace."""
    cases = tmp_path / "cases.yml"
    cases.write_text(f"""
rule_files: [{RULES}]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {{series: 'edgeseg_last_output_age_seconds{{stream="door",instance="box"}}', values: '31x20'}}
      - {{series: 'edgeseg_last_output_age_seconds{{stream="yard",instance="box"}}', values: '0.03x20'}}
      - {{series: 'edgeseg_output_state{{stream="door",output="live",kind="publish",state="running",instance="box"}}', values: '0x20'}}
      - {{series: 'edgeseg_output_state{{stream="door",output="http",kind="viewers",state="running",instance="box"}}', values: '0x20'}}
      - {{series: 'edgeseg_frames_total{{stream="door",stage="mask",outcome="covered",instance="box"}}', values: '0+30x20'}}
      - {{series: 'edgeseg_frames_total{{stream="yard",stage="mask",outcome="covered",instance="box"}}', values: '0x20'}}
    alert_rule_test:
      - {{eval_time: 4m, alertname: EdgesegStreamDown, exp_alerts: [{{exp_labels: {{severity: critical, stream: door, instance: box}}, exp_annotations: {{summary: "stream door on box has put out no picture for 31s", description: "journalctl -u edgeseg tells why; /api/streams gives the reason too."}}}}]}}
      - {{eval_time: 4m, alertname: EdgesegOutputDown, exp_alerts: [{{exp_labels: {{severity: warning, stream: door, output: live, kind: publish, state: running, instance: box}}, exp_annotations: {{summary: "output live of stream door on box is not running"}}}}]}}
      - {{eval_time: 4m, alertname: EdgesegMaskLost, exp_alerts: [{{exp_labels: {{severity: warning, stream: door, instance: box}}, exp_annotations: {{summary: "stream door on box covers pictures because it has no mask for them"}}}}]}}
""")
    promtool("test", "rules", str(cases))
