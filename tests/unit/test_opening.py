"""A source that is opened before it is needed: nothing of it is lost, or late, or left open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from edgeseg.errors import ConfigError, EdgesegError, SourceError
from edgeseg.opening import Ahead
from edgeseg.types import Frame, Source, SourceFormat
from tests.fakes_source import FakeSource, pictures
from tests.waiting import wait_until


class Camera(FakeSource):
    """A live one that goes on for ever, and counts what was read."""

    def __init__(self) -> None:
        super().__init__(pictures(1), live=True)
        self.reads = 0
        self.threads: set[int] = set()

    def open(self) -> SourceFormat:
        self.threads.add(threading.get_ident())
        return super().open()

    def read(self) -> Frame:
        self.reads += 1
        self.threads.add(threading.get_ident())
        return pictures(1, first=self.reads)[0]


def opening(make: Callable[[], Source], wanted: threading.Event) -> tuple[threading.Thread, list[Ahead]]:
    made: list[Ahead] = []
    thread = threading.Thread(target=lambda: made.append(Ahead(make, wanted)))
    thread.start()
    return thread, made


def test_a_file_waits_with_its_first_picture() -> None:
    wanted, source = threading.Event(), FakeSource(pictures(3))
    thread, made = opening(lambda: source, wanted)
    wanted.set()
    thread.join(10)
    taken, format_ = made[0].take()
    assert taken is source
    assert (format_.width, format_.height) == (64, 48)
    first = taken.read()
    assert isinstance(first, Frame)
    assert first.pts == 0
    made[0].close()
    assert source.closed == 0, "it belongs to who took it"


def test_a_camera_is_read_until_somebody_wants_it() -> None:
    wanted, camera = threading.Event(), Camera()
    thread, made = opening(lambda: camera, wanted)
    wait_until(lambda: camera.reads > 10, what="pictures that nobody wants")
    assert not made
    wanted.set()
    thread.join(10)
    before = camera.reads
    made[0].take()[0].read()
    assert camera.reads == before + 1


def test_a_camera_that_is_wanted_soon_loses_nothing() -> None:
    wanted, camera = threading.Event(), Camera()
    wanted.set()
    Ahead(lambda: camera, wanted).take()
    assert camera.reads == 0


@pytest.mark.parametrize(
    "items",
    [[SourceError("cannot open: refused")], [*pictures(2), SourceError("the cable")]],
    ids=["opening", "reading meanwhile"],
)
def test_what_the_source_raised_comes_when_it_is_wanted(items: list[Frame | Exception]) -> None:
    wanted, source = threading.Event(), FakeSource(items, live=True)
    thread, made = opening(lambda: source, wanted)
    wait_until(lambda: source.closed, what="the source's end")
    assert not made
    wanted.set()
    thread.join(10)
    with pytest.raises(SourceError, match=r"cannot open|the cable"):
        made[0].take()


def test_a_source_that_cannot_be_made_says_so_when_it_is_wanted() -> None:
    def fails() -> Source:
        raise ConfigError("no source is called 'xyzzy'")

    wanted = threading.Event()
    wanted.set()
    ahead = Ahead(fails, wanted)
    with pytest.raises(EdgesegError, match="xyzzy"):
        ahead.take()


def test_one_that_nobody_takes_is_closed() -> None:
    wanted, source = threading.Event(), FakeSource(pictures(3))
    wanted.set()
    Ahead(lambda: source, wanted).close()
    assert source.closed == 1
