"""MediaPipe's own selfie segmenter between OpenCV and ffmpeg."""

from __future__ import annotations

import cv2
import mediapipe as mp
from job import Encoder, GreenScreen, Job


def main() -> None:
    job = Job.of_command_line()
    capture, screen = cv2.VideoCapture(job.clip), GreenScreen()
    # 0 is the general model, which is also edgeseg's; its TensorFlow Lite file is inside the wheel.
    with (
        mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter,
        Encoder.like(job, capture) as encoder,
    ):
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            picture.flags.writeable = False  # lets MediaPipe take it without a copy
            mask = segmenter.process(picture).segmentation_mask
            encoder.write(screen.behind(frame, mask))


if __name__ == "__main__":
    main()
