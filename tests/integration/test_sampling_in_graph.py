"""Frames that go into the model's graph whole: the same masks as with tensors, for every size and colour."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends import compiled, graph
from edgeseg.backends.openvino import OpenVinoBackend, _is_gpu
from edgeseg.backends.revived import Revived
from edgeseg.backends.watched import Watched
from edgeseg.backoff import Backoff
from edgeseg.build import build_backend
from edgeseg.config.schema import StreamConfig
from edgeseg.errors import ConfigError, InferenceError, ModelError
from edgeseg.recipes import dump_recipe, find_model, load_recipe
from edgeseg.sampling import DeviceSampler, Sampler, plane_format
from edgeseg.types import U8, Colour, Frame, Matrix, PlaneFormat, Recipe
from tests.fakes_backend import StubBackend
from tests.fakes_source import picture
from tests.mean_models import mean_ir, mean_tflite
from tests.reference import material
from tests.reference.cases import overlap
from tests.reference.model import probability, sampled
from tests.waiting import wait_until

COLOURS = list(material.COLOURS.values())
SIZES = [*material.SIZES.values(), (641, 361), (360, 640), (160, 90), (2000, 40), (100, 1500)]


@cache
def photograph() -> U8:
    return material.photographs()["1.jpg"]


def odd(frame: Frame, width: int, height: int) -> Frame:
    """The upper left of ``frame``, which may have odd sides."""
    half = slice(0, (height + 1) // 2), slice(0, (width + 1) // 2)
    return replace(frame, y=frame.y[:height, :width], u=frame.u[half], v=frame.v[half])


def frame_of(size: tuple[int, int], colour: Colour) -> Frame:
    even = (size[0] + 1) // 2 * 2, (size[1] + 1) // 2 * 2
    return odd(material.frame_of(photograph(), even, colour), *size)


@pytest.fixture
def tiny(tmp_path: Path) -> Recipe:
    """Answers with the mean of the three channels."""
    mean_ir(tmp_path / "model.xml", 32, 16)
    return Recipe("mean", str(tmp_path / "model.xml"), 32, 16)


@pytest.fixture
def backend(tiny: Recipe) -> Iterator[OpenVinoBackend]:
    loaded = OpenVinoBackend("f32", sampling="graph")
    loaded.load(tiny, "CPU")
    yield loaded
    loaded.close()


@pytest.mark.parametrize(("name", "sizes"), [("selfie", SIZES[::2]), ("selfie-landscape", SIZES[1::2])])
def test_every_size_and_colour_gives_the_mask_of_the_reference(name: str, sizes: list[tuple[int, int]]) -> None:
    recipe = load_recipe(find_model(name))
    inside, outside, host = OpenVinoBackend("f32", sampling="graph"), OpenVinoBackend("f32"), Sampler(recipe)
    for loaded in (inside, outside):
        loaded.load(recipe, "CPU")
    sampler = DeviceSampler(recipe, inside.takes)
    for number, size in enumerate(sizes):
        frame = frame_of(size, COLOURS[number % len(COLOURS)])
        mask = inside.infer(sampler.sample(frame))
        expected = probability(sampled(frame, recipe.width, recipe.height), recipe)
        assert np.abs(mask - 255 * expected).max() <= 1, size
        assert overlap(mask / 255, expected) >= 0.999, size
        if min(size) > 100:  # OpenCV stretches a strip in another way
            assert overlap(mask / 255, outside.infer(host.sample(frame)) / 255) >= 0.995, size
    for loaded in (inside, outside):
        loaded.close()


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_order_of_colours_is_that_of_the_model(order: str, layout: str, tiny: Recipe) -> None:
    """Of the three channels only the first counts, as the others are scaled to nothing."""
    if layout == "NCHW":
        write_nchw(Path(tiny.path))
    recipe = replace(tiny, color_order=order, layout=layout, scale_values=(85.0, 1e9, 1e9))
    backend = OpenVinoBackend("f32", sampling="graph")
    backend.load(recipe, "CPU")
    red = picture(0, (64, 32), colour=Colour(Matrix.BT709))
    red = replace(red, y=np.full_like(red.y, 63), u=np.full_like(red.u, 102), v=np.full_like(red.v, 240))
    mask = backend.infer(DeviceSampler(recipe, backend.takes).sample(red))
    backend.close()
    assert mask.shape == (16, 32)
    assert np.all(mask > 250) if order == "RGB" else np.all(mask < 5)


def write_nchw(path: Path) -> None:
    from edgeseg.ovruntime import ov

    ops = ov.opset13
    taken = ops.parameter([1, 3, 16, 32], np.float32)
    answer = ops.reduce_mean(taken, np.array([1]), keep_dims=True)
    ov.save_model(ov.Model([ops.result(answer)], [taken], "mean"), str(path), compress_to_fp16=False)


def test_the_mask_before_is_read_with_frames_too(tmp_path: Path) -> None:
    mean_ir(tmp_path / "model.xml", 32, 16, 4)
    recipe = Recipe("mean", str(tmp_path / "model.xml"), 32, 16, prior_channel=True)
    backend = OpenVinoBackend("f32", sampling="graph")
    backend.load(recipe, "CPU")
    sampler = DeviceSampler(recipe, backend.takes)
    grey = picture(0, (64, 32), colour=Colour(full_range=True))
    grey = replace(grey, y=np.full_like(grey.y, 200), u=np.full_like(grey.u, 128), v=np.full_like(grey.v, 128))
    before = 0.0
    for _ in range(3):
        before = (3 * 200 + before) / 4
        np.testing.assert_allclose(backend.infer(sampler.sample(grey)), before, atol=1.5)
    backend.reset()
    np.testing.assert_allclose(backend.infer(sampler.sample(grey)), 150, atol=1)
    backend.close()


def test_streams_of_one_size_and_colour_share_a_model(tiny: Recipe) -> None:
    before = compiled.in_use()
    backends = [OpenVinoBackend("f32", sampling="graph") for _ in range(3)]
    for backend in backends:
        backend.load(tiny, "CPU")
    assert compiled.in_use() == before + 1
    hd, sd = plane_format(128, 72, Colour()), plane_format(64, 48, Colour(Matrix.BT601))
    assert backends[0].takes(hd)
    assert backends[1].takes(hd)
    assert compiled.in_use() == before + 2  # and the one for tensors, which the third still holds
    assert backends[2].takes(sd)
    assert compiled.in_use() == before + 2
    assert backends[0].takes(plane_format(128, 72, Colour(full_range=True)))
    assert compiled.in_use() == before + 3
    for backend in backends:
        backend.close()
    assert compiled.in_use() == before


def test_what_nobody_asked_about_is_refused(backend: OpenVinoBackend) -> None:
    with pytest.raises(InferenceError, match="model 'mean' takes a tensor, and was given a frame of 64x48"):
        backend.infer(picture(0, (64, 48)))
    assert backend.takes(plane_format(128, 72, Colour()))
    with pytest.raises(InferenceError, match="model 'mean' takes frames of 128x72, and was given 64x48"):
        backend.infer(picture(0, (64, 48)))
    assert backend.infer(picture(0, (128, 72))).shape == (16, 32)


def test_tensors_are_taken_again_after_frames(backend: OpenVinoBackend) -> None:
    tensor = np.full((1, 16, 32, 3), 77, np.uint8)
    assert backend.takes(plane_format(64, 48, Colour()))
    assert backend.tensor.size == 0
    assert np.all(backend.infer(tensor) == 77)
    assert backend.tensor.shape == tensor.shape


def test_planes_with_gaps_between_their_rows_are_read(backend: OpenVinoBackend) -> None:
    whole = picture(5, (400, 300))
    view = odd(whole, 63, 47)
    copies = replace(view, y=view.y.copy(), u=view.u.copy(), v=view.v.copy())
    assert backend.takes(plane_format(63, 47, whole.colour))
    seen = backend.infer(view).copy()
    np.testing.assert_array_equal(seen, backend.infer(copies))
    assert seen.std() > 1


@pytest.mark.parametrize(("sampling", "device"), [("auto", "CPU"), ("host", "CPU")])
def test_on_a_processor_tensors_are_made_outside(sampling: str, device: str, tiny: Recipe) -> None:
    backend = OpenVinoBackend("f32", sampling=sampling)
    assert not backend.takes(plane_format(64, 48, Colour()))
    backend.load(tiny, device)
    assert not backend.takes(plane_format(64, 48, Colour()))
    backend.close()


@pytest.mark.parametrize(
    ("device", "expected"),
    [(device, True) for device in ("GPU", "GPU.1", "AUTO:GPU,CPU", "BATCH:GPU(4)")]
    + [(device, False) for device in ("CPU", "NPU", "AUTO", "HETERO:CPU,GPU")],
)
def test_which_devices_sample_frames_themselves(device: str, expected: bool) -> None:
    assert _is_gpu(device) is expected


def test_a_graph_that_cannot_be_made_leaves_it_to_the_processor(
    backend: OpenVinoBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(*_: Any) -> Any:
        raise RuntimeError("this device has no pooling")

    monkeypatch.setattr(graph, "sampled", unsupported)
    before = compiled.in_use()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert not backend.takes(plane_format(64, 48, Colour()))
    assert compiled.in_use() == before
    assert [record.getMessage() for record in caplog.records] == [
        "model 'mean' does not fit its recipe: this device has no pooling; frames are sampled on the processor instead"
    ]
    assert np.all(backend.infer(np.full((1, 16, 32, 3), 9, np.uint8)) == 9)


def test_a_backend_that_is_closed_meanwhile_holds_nothing(
    backend: OpenVinoBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream may be stopped while a GPU compiles for a minute."""
    acquire = compiled.acquire

    def slow(wanted: compiled.Wanted) -> Any:
        backend.close()
        return acquire(wanted)

    monkeypatch.setattr(compiled, "acquire", slow)
    before = compiled.in_use() - 1
    assert not backend.takes(plane_format(64, 48, Colour()))
    assert compiled.in_use() == before
    with pytest.raises(InferenceError, match="no model is loaded"):
        backend.infer(picture(0, (64, 48)))


class Lost:
    """An OpenVINO backend on a device that is lost after its first mask."""

    def __init__(self, asked: list[PlaneFormat]) -> None:
        self._backend = OpenVinoBackend("f32", sampling="graph")
        self._asked = asked
        self._left = 1

    def load(self, recipe: Recipe, device: str) -> None:
        if device == "CPU":
            raise ModelError("there is no such device any more")
        self._backend.load(recipe, "CPU")

    def takes(self, planes: PlaneFormat) -> bool:
        self._asked.append(planes)
        return self._backend.takes(planes)

    def infer(self, tensor: Any) -> U8:
        self._left -= 1
        if self._left < 0:
            raise InferenceError("the device is gone")
        return self._backend.infer(tensor)

    def close(self) -> None:
        self._backend.close()


def test_the_one_in_its_place_is_ready_before_it_is_used(tiny: Recipe) -> None:
    """And a fallback that takes no frames gets tensors."""
    asked: list[PlaneFormat] = []
    backends = iter([Lost(asked), Lost(asked), StubBackend(), StubBackend()])
    reloaded: list[bool] = []
    revived = Revived(partial(next, backends), "CPU", failing_s=0.0, backoff=Backoff(0.01), reloaded=reloaded.append)
    revived.load(tiny, "GPU")
    sampler, frame = DeviceSampler(tiny, revived.takes), picture(0, (64, 48))
    assert sampler.sample(frame) is frame
    assert revived.infer(frame).shape == (16, 32)
    with pytest.raises(InferenceError, match="gone"):
        revived.infer(frame)
    wait_until(lambda: reloaded == [True])
    assert asked == [plane_format(64, 48, frame.colour)] * 2
    assert revived.infer(frame).shape == (16, 32)
    with pytest.raises(InferenceError, match="gone"):
        revived.infer(frame)
    wait_until(lambda: reloaded == [True, True])
    tensor = sampler.sample(frame)
    assert isinstance(tensor, np.ndarray)
    assert revived.infer(tensor).shape == (16, 32)
    revived.close()


def test_a_limit_in_time_lets_frames_through(tiny: Recipe) -> None:
    watched = Watched(OpenVinoBackend("f32", sampling="graph"), 30)
    frame = picture(1, (64, 48))
    assert not watched.takes(plane_format(64, 48, frame.colour))
    watched.load(tiny, "CPU")
    assert DeviceSampler(tiny, watched.takes).sample(frame) is frame
    assert watched.infer(frame).shape == (16, 32)
    watched.close()
    stub = Watched(StubBackend(), 30)
    stub.load(tiny, "CPU")
    assert not stub.takes(plane_format(64, 48, frame.colour))
    stub.close()


def stream(folder: Path, sampling: str) -> StreamConfig:
    model = {"name": str(folder), "sampling": sampling}
    return StreamConfig.model_validate({"source": "test", "model": model, "record": "unused"})


def test_the_configuration_decides(tmp_path: Path, tiny: Recipe) -> None:
    (tmp_path / "model.yaml").write_text(dump_recipe(tiny))
    for sampling, expected in (("auto", False), ("host", False), ("graph", True)):
        backend, _, _ = build_backend(stream(tmp_path, sampling))
        assert isinstance(backend, Revived)
        assert backend.takes(plane_format(64, 48, Colour())) is expected
        backend.close()


def test_only_openvino_has_a_graph(tmp_path: Path) -> None:
    mean_tflite(tmp_path / "model.tflite", 32, 16)
    recipe = Recipe("mean", str(tmp_path / "model.tflite"), 32, 16)
    (tmp_path / "model.yaml").write_text(dump_recipe(recipe))
    with pytest.raises(ConfigError, match="only the backend openvino has a graph to sample in, not litert"):
        build_backend(stream(tmp_path, "graph"))
