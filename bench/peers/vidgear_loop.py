"""vidgear around OpenVINO: CamGear reads in a thread of its own, WriteGear writes through ffmpeg."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from job import GreenScreen, Job
from vidgear.gears import CamGear, WriteGear

# isort: split
import openvino as ov  # noqa: TID251 silent, since job.py was imported before


class Segmenter:
    """OpenVINO for one picture at a time, as its guide for low latency has it."""

    def __init__(self, path: str) -> None:
        core = ov.Core()
        self._model = core.compile_model(path, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        _, self._height, self._width, _ = self._model.input(0).shape

    def mask(self, frame: Any) -> Any:
        """f32 [height, width] of ``frame``, u8 BGR."""
        small = cv2.cvtColor(cv2.resize(frame, (self._width, self._height)), cv2.COLOR_BGR2RGB)
        answer = self._model(small.astype(np.float32)[None] / 255)[0]
        return cv2.resize(answer.reshape(self._height, self._width), frame.shape[1::-1])


def main() -> None:
    job = Job.of_command_line()
    segmenter, screen = Segmenter(job.model), GreenScreen()
    stream = CamGear(source=job.clip).start()
    # It adds -crf 18 to libx264 unless there is one; -1 is libx264's word for "none", so that the bit rate counts.
    options = dict(zip(job.options[::2], job.options[1::2], strict=True)) | {"-crf": "-1"}
    writer = WriteGear(output=job.target, custom_ffmpeg=job.ffmpeg, **{"-input_framerate": stream.framerate, **options})
    while (frame := stream.read()) is not None:
        writer.write(screen.behind(frame, segmenter.mask(frame)))
    stream.stop()
    writer.close()


if __name__ == "__main__":
    main()
