"""The values that travel from stage to stage.

Frozen, slotted and free of any library but numpy: every stage may import this module and none of its
neighbours. Times are seconds on the monotonic clock unless a name says ``_ms``; timestamps (``pts``) count
in their ``time_base``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


class Matrix(StrEnum):
    """Which luma coefficients the planes were made with (FFmpeg's colorspace names)."""

    BT601 = "smpte170m"
    BT709 = "bt709"


@dataclass(frozen=True, slots=True)
class Colour:
    """How the numbers in the planes are to be read.

    ``primaries`` and ``transfer`` are FFmpeg's (H.273) code points; 2 means unspecified. They are carried
    to the output untouched.
    """

    matrix: Matrix = Matrix.BT709
    full_range: bool = False
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as planar YUV 4:2:0.

    ``y`` is u8 [height, width]; ``u`` and ``v`` are u8 [ceil(height/2), ceil(width/2)]. The planes of a decoded frame
    are read-only views into the decoder's buffer, which the arrays keep alive: it may be a reference
    picture, so nobody writes into it.
    """

    y: U8
    u: U8
    v: U8
    pts: int
    time_base: Fraction
    colour: Colour
    captured_at: float

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def planes(self) -> tuple[U8, U8, U8]:
        return self.y, self.u, self.v

    @property
    def time_s(self) -> float:
        return self.pts * self.time_base.numerator / self.time_base.denominator


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One compressed audio packet, exactly as the source sent it."""

    payload: bytes
    pts: int
    time_base: Fraction

    @property
    def time_s(self) -> float:
        return self.pts * self.time_base.numerator / self.time_base.denominator


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a decoder has to know about the packets (FFmpeg's codec name, its extradata)."""

    codec: str
    sample_rate: int
    channels: int
    extradata: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """What a source turned out to be once it was open.

    ``fps`` is the nominal rate or None when the container does not say. A ``live`` source has no end, and something is
    shown while it is away. It cannot wait, so that the oldest frame is dropped when the worker is late; unless it is
    ``in_bursts``: pictures of a segment come all at once (HLS), wait like a file's, and are played by their times.
    """

    width: int
    height: int
    fps: Fraction | None
    colour: Colour
    live: bool
    audio: AudioFormat | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    in_bursts: bool = False

    @property
    def waits(self) -> bool:
        """Whether its pictures can wait for us."""
        return not self.live or self.in_bursts


@dataclass(frozen=True, slots=True)
class Mask:
    """What to keep of one frame, at the model's own size.

    ``alpha`` is u8 [h, w], 255 = keep (the person, unless inverted). ``of`` is the ``pts`` of the frame that
    it was computed from; the pipeline refuses to composite another frame with it.
    """

    alpha: U8
    of: int
    inferred_at: float
    labels: U8 | None = None


class OutputKind(StrEnum):
    """How the numbers in a model's answer are to be read.

    PROBABILITY and LOGITS are planes, one or one for each class; LABELS holds the number of a class at each pixel;
    IMAGE is a picture, as style transfer gives it, from which no mask can be made.
    """

    PROBABILITY = "probability"
    LOGITS = "logits"
    LABELS = "labels"
    IMAGE = "image"


class Activation(StrEnum):
    """What makes probabilities of logits. AUTO is the sigmoid of one plane and the softmax of several."""

    AUTO = "auto"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True)
class Quantization:
    """How whole numbers stand for real ones: real = (q - zero_point) * scale. TFLite's and OpenVINO's convention."""

    scale: float
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model wants and what it answers: the content of ``model.yaml``.

    What goes in: ``layout`` is "NHWC" or "NCHW". ``mean_values`` and ``scale_values`` are OpenVINO's: the model
    receives ``(x - mean) / scale`` per channel, x being 0..255 in ``color_order``. ``input_quantization`` is applied
    after that, where the model takes whole numbers that stand for real ones. With ``prior_channel`` the model reads a
    fourth plane, the mask that it gave for the frame before (0..1, zeros at first), in the same quantisation.

    What comes out: ``output_index`` picks the answer, ``kind`` says how to read it, after ``output_quantization``
    where it is whole numbers. ``keep`` are the classes that the mask shows: planes or labels; of a single plane it is
    not asked. ``labels`` are the names of the classes by number, ``colors`` their R'G'B' 0..255 for a picture of all
    of them.

    ``path`` is the model's file; ``sha256`` that of the file that it was made from.
    """

    name: str
    path: str
    width: int
    height: int
    layout: str = "NHWC"
    color_order: str = "RGB"
    mean_values: tuple[float, ...] = (0.0,)
    scale_values: tuple[float, ...] = (255.0,)
    input_quantization: Quantization | None = None
    prior_channel: bool = False
    output_index: int = 0
    kind: OutputKind = OutputKind.PROBABILITY
    activation: Activation = Activation.AUTO
    output_quantization: Quantization | None = None
    keep: tuple[int, ...] = (1,)
    labels: tuple[str, ...] = ()
    colors: tuple[tuple[int, int, int], ...] = ()
    licence: str = ""
    origin: str = ""
    sha256: str = ""
    extra: tuple[tuple[str, Any], ...] = ()


class TagKind(Enum):
    """The three kinds of FLV tag, by their number in the file."""

    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


@dataclass(frozen=True, slots=True)
class Tag:
    """One encoded picture or audio packet as a whole FLV tag: header, payload and the trailing tag size.

    ``keyframe`` marks a picture that decoding can start with. ``config`` marks a tag that carries a decoder
    configuration (AVC/AAC sequence header) instead of media.
    """

    kind: TagKind
    timestamp_ms: int
    wire: bytes
    keyframe: bool = False
    config: bool = False


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a player needs before the first picture: FLV file header, metadata and decoder configurations.

    ``epoch`` goes up when the encoder was restarted with another configuration: a recording or a session that
    began with an older header cannot go on with newer tags.
    """

    epoch: int
    file_header: bytes
    tags: tuple[Tag, ...]
    has_audio: bool

    @property
    def wire(self) -> bytes:
        return self.file_header + b"".join(tag.wire for tag in self.tags)


@dataclass(frozen=True, slots=True)
class PlaneFormat:
    """What a backend has to know of frames to sample them itself: their size, and the 3x4 matrix, row by row, that
    takes (Y, U, V, 1) in 0..255 to (R, G, B) in 0..255.
    """

    width: int
    height: int
    rgb_from_yuv: tuple[tuple[float, ...], ...]


class State(StrEnum):
    """What a stream or an output is doing."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    FAILED = "failed"
    STOPPED = "stopped"


class FrameSampler(Protocol):
    """Makes of a frame what the stream's backend takes: a tensor, or the frame as it is. Called on the stream's worker
    thread; the result is valid until the next call.
    """

    def sample(self, frame: Frame) -> Any: ...


class Backend(Protocol):
    """Runs one model for one stream. Every call comes from that stream's worker thread.

    ``load`` raises ModelError (permanent) when the model cannot be used. ``infer`` takes a u8 tensor [1, h, w, 3] in
    the recipe's colour order that the caller goes on owning, and returns u8 [h, w], 0..255, owned by the backend and
    valid until the next call; it raises InferenceError. ``close`` may be called twice.

    A backend whose device samples frames better than we do also has ``takes(planes: PlaneFormat) -> bool``: whether
    ``infer`` takes the Frame itself while frames are like that. It may block as long as ``load``, and raises nothing.
    """

    def load(self, recipe: Recipe, device: str) -> None: ...

    def infer(self, tensor: U8) -> U8: ...

    def close(self) -> None: ...


class Source(Protocol):
    """Where pictures come from. All calls come from the stream's source thread.

    ``open`` may block up to its time-out and raises SourceError. ``read`` blocks for the next frame or audio
    packet, in the order of the container, returns None at the end and raises SourceError when a live input
    ends. Timestamps never go backwards, not even when a file is looped. ``close`` may be called twice.
    """

    def open(self) -> SourceFormat: ...

    def read(self) -> Frame | AudioPacket | None: ...

    def close(self) -> None: ...


class Effect(Protocol):
    """Makes the picture that leaves the box. Called on the stream's worker thread.

    ``apply`` reads ``frame`` and ``mask`` and fills every pixel of ``out``, whose planes are writable and have the
    frame's size; it keeps no reference to any of them. Whatever it raises, the pipeline covers the frame.
    """

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None: ...


class Output(Protocol):
    """Where encoded tags go. All calls come from the output's own feed thread.

    ``open`` connects and sends the header, ``write`` sends one tag; both may block for a bounded time and raise
    OutputError, after which the feed closes the output, waits and opens it again at a keyframe. ``close`` lets what was
    written get out, within its own limit, and may be called twice.
    """

    def open(self, header: StreamHeader) -> None: ...

    def write(self, tag: Tag) -> None: ...

    def close(self) -> None: ...
