"""What the analysis of a model found: values only, so that commands can print them without OpenVINO."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from edgeseg.types import OutputKind, Quantization

Dims = tuple[int | None, ...]


class Task(StrEnum):
    """What a model seems to be for."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    VECTOR = "vector"
    STYLE_TRANSFER = "style transfer"
    TEXT_DETECTION = "text detection"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class InputFinding:
    """One input. ``dims`` holds None where the model leaves a side open; ``layout``, ``width``, ``height`` and
    ``channels`` are those of a picture; ``picture`` marks the input that the camera feeds.
    """

    name: str
    element: str
    dims: Dims
    why: str
    picture: bool = False
    layout: str = ""
    channels: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tensor that may be the answer.

    ``index`` is its place among the model's outputs, None for a tensor inside the graph, which ``answers.expose``
    makes an output. ``kind`` is None when no mask and no picture can be made of it. ``width``, ``height`` and
    ``planes`` are those of the answer as a picture, at the size that the model was looked at; ``activation`` is what
    was met on the way back from it ("sigmoid", "softmax", "argmax", "threshold", "clamp", "tanh"). ``source`` names
    the tensor that it was made of: two answers with one source say the same thing in two ways. ``score`` orders the
    candidates and means nothing else.
    """

    name: str
    index: int | None
    element: str
    dims: Dims
    kind: OutputKind | None
    why: str
    activation: str = ""
    planes: int | None = None
    width: int | None = None
    height: int | None = None
    classes: int | None = None
    quantization: Quantization | None = None
    source: str = ""
    score: float = 0.0

    @property
    def segments(self) -> bool:
        """Whether a mask can be made of it."""
        return self.kind is not None and self.kind is not OutputKind.IMAGE


@dataclass(frozen=True, slots=True)
class Guess:
    """A field of the recipe that could be worked out, and from what."""

    field: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the file does not say. ``candidates`` are options of ``edgeseg convert`` as one would type them, each with
    what it is usual for; ``option`` names the option. ``assumed`` are the fields that hold when nobody answers;
    without any, somebody has to.
    """

    field: str
    why: str
    candidates: tuple[str, ...]
    option: str
    assumed: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it. ``outputs`` are ranked, the likeliest first; ``best`` is the answer to take, None when there is none
    or when ``rivals`` names several that are as good. ``obstacles`` are sentences: why edgeseg cannot run the
    model as it is.
    """

    inputs: tuple[InputFinding, ...]
    outputs: tuple[Candidate, ...]
    operators: tuple[tuple[str, int], ...]
    task: Task
    task_why: str
    best: Candidate | None
    rivals: tuple[Candidate, ...] = ()
    guesses: tuple[Guess, ...] = ()
    questions: tuple[Question, ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def picture(self) -> InputFinding | None:
        """The input that the camera feeds."""
        return next((entry for entry in self.inputs if entry.picture), None)

    @property
    def ambiguous(self) -> bool:
        """Whether somebody has to say which output is the answer."""
        return bool(self.rivals)

    def fields(self) -> dict[str, Any]:
        """Fields of ``Recipe`` by name: what was worked out, and what is assumed where nobody answers the questions."""
        assumed = {name: value for question in self.questions for name, value in question.assumed.items()}
        return assumed | {guess.field: guess.value for guess in self.guesses}

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self) | {"fields": {name: _plain(value) for name, value in self.fields().items()}}


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def text(dims: Dims) -> str:
    """Sides as people write them: 1x?x?x3."""
    return "x".join("?" if side is None else str(side) for side in dims) or "one number"
