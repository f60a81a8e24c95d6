"""The loop of the Open Model Zoo's demos, on Model API: requests in flight, resizing and colours inside the graph."""

from __future__ import annotations

from typing import Any

import cv2
from job import Encoder, GreenScreen, Job
from model_api.models import ImageModel
from model_api.pipelines import AsyncPipeline


class Portrait(ImageModel):  # type: ignore[misc]
    """One channel of probabilities; ``SegmentationModel`` wants one channel for each class and gives hard labels."""

    __model__ = "Portrait"

    def postprocess(self, outputs: dict[str, Any], meta: dict[str, Any]) -> Any:
        """The mask, f32 [height, width], at the picture's size."""
        height, width = meta["original_shape"][:2]
        (answer,) = outputs.values()
        return cv2.resize(answer.reshape(self.params.orig_height, self.params.orig_width), (width, height))


def main() -> None:
    job = Job.of_command_line()
    capture, screen = cv2.VideoCapture(job.clip), GreenScreen()
    # Mean, scale and channel order are in the IR; create_model reads them.
    model = Portrait.create_model(job.model, model_type="Portrait", device="CPU")
    pipeline = AsyncPipeline(model)
    submitted = shown = 0
    with Encoder.like(job, capture) as encoder:

        def show() -> bool:
            if (result := pipeline.get_result(shown)) is None:
                return False
            mask, meta = result
            encoder.write(screen.behind(meta["frame"], mask))
            return True

        while True:
            if pipeline.is_ready():
                ok, frame = capture.read()
                if not ok:
                    break
                pipeline.submit_data(frame, submitted, {"frame": frame})
                submitted += 1
            else:
                pipeline.await_any()
            shown += show()
        pipeline.await_all()
        while shown < submitted:
            shown += show()


if __name__ == "__main__":
    main()
