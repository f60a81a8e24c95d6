"""What every output keeps to: the recorder, the publisher, and the fake that stands for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.outputs.publisher import Publisher
from edgeseg.outputs.recorder import Recorder
from edgeseg.outputs.segments import recordings
from edgeseg.types import Output, StreamHeader, Tag, TagKind
from tests.fakes_output import FPS, FakeOutput, header_and_media, make_flv, numbers_in, receiver
from tests.ports import free_port

SECONDS = 2
Made = tuple[Output, Callable[[], list[int]]]


@contextmanager
def fake(folder: Path) -> Iterator[Made]:
    output = FakeOutput()

    def written() -> list[int]:
        (session,) = output.sessions
        return [
            round((tag.timestamp_ms - session[0].timestamp_ms) * FPS / 1000)
            for tag in session
            if tag.kind is TagKind.VIDEO
        ]

    yield output, written


@contextmanager
def recorder(folder: Path) -> Iterator[Made]:
    yield Recorder(folder / "new" / "recordings", "door"), lambda: recorded(folder / "new" / "recordings")


def recorded(folder: Path) -> list[int]:
    return [number for path in recordings(folder, "door") for number in numbers_in(path)]


@contextmanager
def publisher(folder: Path) -> Iterator[Made]:
    url = f"rtmp://127.0.0.1:{free_port()}/live/k3y-of-the-stream"
    with receiver(url, folder / "received.flv") as process:

        def received() -> list[int]:
            process.wait(10)
            return numbers_in(folder / "received.flv")

        yield Publisher(url), received


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[StreamHeader, list[Tag]]:
    return header_and_media(make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS))


@pytest.fixture(params=[fake, recorder, publisher])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    with request.param(tmp_path) as pair:
        yield pair


def test_every_picture_arrives_once_and_in_order(made: Made, clip: tuple[StreamHeader, list[Tag]]) -> None:
    output, arrived = made
    play(output, *clip)
    output.close()
    output.close()
    assert arrived() == list(range(FPS * SECONDS))


def test_closing_what_was_never_opened_is_nothing(made: Made) -> None:
    made[0].close()


def play(output: Output, header: StreamHeader, tags: list[Tag]) -> None:
    output.open(header)
    for tag in tags:
        output.write(tag)


def failing_recorder(folder: Path) -> Output:
    (folder / "file").write_bytes(b"")
    return Recorder(folder / "file" / "below", "door")


def failing_publisher(folder: Path) -> Output:
    return Publisher(f"rtmp://127.0.0.1:{free_port()}/live/k3y-of-the-stream")


def failing_fake(folder: Path) -> Output:
    return FakeOutput(fail=[OutputError("cannot do anything", hint="it is a fake")])


@pytest.mark.parametrize("make", [failing_fake, failing_recorder, failing_publisher])
def test_a_failure_is_an_output_error_in_one_sentence_with_a_hint(
    make: Callable[[Path], Output], tmp_path: Path, clip: tuple[StreamHeader, list[Tag]]
) -> None:
    output = make(tmp_path)
    with pytest.raises(OutputError) as caught:
        play(output, *clip)
    output.close()
    assert not caught.value.permanent
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("cannot ")
    assert "k3y" not in str(caught.value)
