"""How the results of ``edgeseg bench streams`` are shown: text, JSON, chart, progress."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import pytest

from edgeseg.benchmark import chart, report
from edgeseg.benchmark.advice import Facts, advise
from edgeseg.benchmark.figures import Capacity, Costs, Trial
from edgeseg.benchmark.job import Result, StreamResult
from edgeseg.benchmark.progress import Progress
from edgeseg.benchmark.settings import Played
from edgeseg.config import StreamConfig
from edgeseg.errors import UsageError

SPENT = {"decode": 3.0, "sample": 0.5, "infer": 6.0, "mask": 0.1, "composite": 1.4, "encode": 8.0}


def trial(count: int, rate: float, cpu: float = 1.9, others: float = 0.0) -> Trial:
    return Trial((rate,) * count, (30.0,) * count, cpu, others, 400_000_000, 5.0)


def result(*capacities: Capacity, rest: float = 1.0) -> Result:
    stream = StreamConfig.model_validate({"source": "rtsp://me:opensesame@192.0.2.7/one"})
    costs = Costs(SPENT, 19.0 + rest, 30.0)
    advice = advise(stream, costs, Facts((1280, 720), (1280, 720), 15.0, has_gpu=False, lighter_ms=6.0))
    played = Played("door", stream, {}, 1280, 720, 30.0, "6 s of it, copied")
    found = capacities or (Capacity(None, 3.3, 64, [trial(3, 30.0), trial(4, 24.0)]),)
    return Result("Some <Processor> & Co", 2.0, 0.1, 5.0, (StreamResult(played, "CPU", costs, advice),), found)


def test_the_text_has_stages_capacity_and_advice() -> None:
    text = report.text(result())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "Some <Processor> & Co; cores: 2, load before: 0.1" in lines
    assert "decode 3.00 15%" in lines
    assert "rest 1.00 5%" in lines
    assert "floor 17.00 85%" in lines
    assert "at 30 fps 3.3 3 1.90 cores 400 MB 4 80% of its rate" in lines
    assert "door: encode takes most, 40%. Estimated from the stages above:" in lines
    assert "encoder.profile: light: 3.3 -> 3.7 streams (coarser picture)" in lines
    assert "not published" in text
    assert "6 s of it, copied" in text


def test_no_secret_is_shown() -> None:
    found = result()
    for shown in (report.text(found), json.dumps(report.json_of(found)), chart.draw(found).svg()):
        assert "opensesame" not in shown
    assert "192.0.2.7" in report.text(found)


def test_what_does_not_fit_the_picture_is_said() -> None:
    assert "cores busy meanwhile" not in report.text(result())
    assert "cores busy meanwhile" in report.text(result(Capacity(None, 3.0, 64, [trial(3, 30.0, others=0.5)])))
    assert "memory for more is not free" in report.text(result(Capacity(None, 9.0, 3, [trial(3, 30.0)])))
    assert "tried no further" in report.text(result(Capacity(None, 3.0, 64, [trial(3, 30.0)])))
    idle = Capacity(None, 3.0, 64, [trial(1, 20.0, cpu=0.9)])
    assert "not the processor is the limit" in report.text(result(idle))
    assert "try more --seconds" in report.text(result(rest=-0.5))


def test_the_json_has_the_same_figures() -> None:
    found = report.json_of(result())
    assert found["streams"][0]["cpu_ms"]["whole"] == 20.0
    assert found["streams"][0]["cpu_ms"]["floor"] == 17.0
    assert found["streams"][0]["bottleneck"] == "encode"
    assert all(change["estimated"] for change in found["streams"][0]["advice"])
    capacity = found["capacity"][0]
    assert (capacity["fps"], capacity["carried"], capacity["too_many"]) == (None, 3, 4)
    assert [each["held"] for each in capacity["trials"]] == [True, False]
    assert json.loads(json.dumps(found)) == found


def test_the_chart_is_an_svg_with_a_bar_for_each_part(tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    chart.write(file, result(Capacity(None, 3.3, 64, [trial(2, 30.0), trial(4, 24.0)])))
    root = ET.fromstring(file.read_text())
    rects = [node.attrib for node in root if node.tag.endswith("rect")]
    widths = {rect["fill"]: float(rect["width"]) for rect in rects if rect.get("height") == "18.0"}
    assert widths[chart.COLOURS["encode"]] == pytest.approx(widths[chart.COLOURS["decode"]] * 8 / 3, rel=0.01)
    assert set(chart.COLOURS.values()) <= set(widths)
    words = " ".join(node.text or "" for node in root if node.tag.endswith("text"))
    assert "Some <Processor> & Co" in words
    assert "with 4: 80% of the rate" in words


def test_the_chart_is_a_png_of_the_same_shapes(tmp_path: Path) -> None:
    file = tmp_path / "chart.PNG"
    chart.write(file, result())
    page, picture = chart.draw(result()), cv2.imread(str(file))
    assert picture.shape == (page.height * 2, page.width * 2, 3)
    red, green, blue = bytes.fromhex(chart.COLOURS["encode"][1:])
    assert (picture == (blue, green, red)).all(axis=2).any()


@pytest.mark.parametrize("name", ["chart.pdf", "chart", "none/chart.svg", "folder.svg"])
def test_a_chart_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UsageError, match="--chart: "):
        chart.check_target(tmp_path / name)


def test_a_line_for_each_step_where_nobody_looks() -> None:
    out = io.StringIO()
    progress = Progress(2, out)
    for words in ("first", "second"):
        progress.step(words)
        progress.within(0.5)
    progress.close()
    assert out.getvalue() == "first ...\nsecond ...\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_that_goes_away() -> None:
    out = Terminal()
    progress = Progress(4, out)
    progress.step("first")
    progress.step("third", 2)
    drawn = out.getvalue().split("\r")
    assert drawn[1].startswith("[........................]   0%  first")
    assert drawn[2].startswith("[############............]  50%  third")
    progress.close()
    assert out.getvalue().endswith("\r\033[K")
