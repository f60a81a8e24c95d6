"""What a stream is made of in tests: a real encoder, no model, sources and effects of the test's choice."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from edgeseg.encoding.command import EncoderSettings
from edgeseg.encoding.hub import Hub
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.pipeline import Stages
from edgeseg.reader import VideoSettings
from edgeseg.sampling import Sampler
from edgeseg.slate import SlateSettings
from edgeseg.status import LatestFrame, StreamStatus
from edgeseg.stream import Stream
from edgeseg.types import U8, Effect, Recipe, StreamHeader, Tag, TagKind
from tests.fakes_effect import Bare


class KeepAll:
    """A backend that keeps everything; raises ``error`` instead when there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed = 0

    def load(self, recipe: Recipe, device: str) -> None:
        """Nothing to load."""

    def infer(self, tensor: U8) -> U8:
        if self.error is not None:
            raise self.error
        return np.full(tensor.shape[1:3], 255, np.uint8)

    def close(self) -> None:
        self.closed += 1


class Viewer:
    """A subscriber of the hub that keeps everything."""

    def __init__(self) -> None:
        self.headers: list[StreamHeader] = []
        self.tags: list[Tag] = []
        self.ended = threading.Event()

    def header(self, header: StreamHeader) -> None:
        self.headers.append(header)

    def replay(self, tags: Sequence[Tag]) -> None:
        self.tags.extend(tags)

    def tag(self, tag: Tag) -> None:
        self.tags.append(tag)

    def end(self) -> None:
        self.ended.set()

    def times(self, kind: TagKind = TagKind.VIDEO) -> list[int]:
        return [tag.timestamp_ms for tag in self.tags if tag.kind is kind]


def stages(effect: Effect | None = None, backend: KeepAll | None = None) -> Stages:
    return Stages(
        Sampler(Recipe("stub", "", 32, 24)), backend or KeepAll(), MaskRefiner(RefineSettings()), effect or Bare()
    )


def encoder_settings() -> EncoderSettings:
    return EncoderSettings(find_ffmpeg())


class Rig:
    """A ``Stream`` with everything round it."""

    def __init__(
        self,
        video: VideoSettings | None = None,
        effect: Effect | None = None,
        slate: SlateSettings | None = None,
        ffmpeg: str = "",
    ) -> None:
        self.status = StreamStatus("door")
        self.backend = KeepAll()
        self.hub = Hub("door")
        self.viewer = Viewer()
        self.hub.subscribe(self.viewer)
        self.stop = threading.Event()
        self.stream = Stream(
            self.status,
            stages(effect, self.backend),
            video or VideoSettings(realtime=False),
            EncoderSettings(ffmpeg) if ffmpeg else encoder_settings(),
            self.hub,
            LatestFrame(),
            self.stop,
            slate,
        )
