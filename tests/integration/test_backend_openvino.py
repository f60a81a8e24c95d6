"""What is OpenVINO's own: sharing, threads, broken files, silence."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends import compiled
from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.errors import EXIT_UNEXPECTED, DeviceError, ModelError
from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model, load_recipe
from edgeseg.types import Recipe
from tests.turns import assert_others_run_during

SIDE = 32


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A convolution with weights, small enough to be compiled at once."""
    ops = ov.opset13
    picture = ops.parameter([1, SIDE, SIDE, 3], np.float32)
    weights = np.random.default_rng(0).normal(0, 0.2, (1, 3, 9, 9)).astype(np.float32)
    nchw = ops.transpose(picture, np.array([0, 3, 1, 2]))
    plane = ops.sigmoid(ops.convolution(nchw, weights, [1, 1], [4, 4], [4, 4], [1, 1]))
    path = tmp_path / "model.xml"
    ov.save_model(ov.Model([ops.result(plane)], [picture], "conv"), str(path), compress_to_fp16=False)
    return Recipe(name="conv", path=str(path), width=SIDE, height=SIDE)


@pytest.fixture
def pair(recipe: Recipe) -> Iterator[tuple[OpenVinoBackend, OpenVinoBackend]]:
    backends = OpenVinoBackend("f32", streams=2), OpenVinoBackend("f32", streams=2)
    for backend in backends:
        backend.load(recipe, "CPU")
    yield backends
    for backend in backends:
        backend.close()


def pictures(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, SIDE, SIDE, 3), np.uint8)


def test_the_tensor_is_read_in_place(pair: tuple[OpenVinoBackend, OpenVinoBackend]) -> None:
    given, in_place = pair
    picture = pictures(0, 1)[0]
    in_place.tensor[:] = picture
    mask = in_place.infer(in_place.tensor)
    np.testing.assert_array_equal(mask, given.infer(picture))
    assert mask.std() > 1, "the mask says nothing"


def test_the_compiled_model_is_shared_and_freed_with_the_last(recipe: Recipe) -> None:
    before = compiled.in_use()
    one, two, other = OpenVinoBackend("f32"), OpenVinoBackend("f32"), OpenVinoBackend("f32", streams=2)
    one.load(recipe, "CPU")
    two.load(dataclasses.replace(recipe), "CPU")
    assert compiled.in_use() == before + 1
    other.load(recipe, "CPU")
    assert compiled.in_use() == before + 2
    one.close()
    one.close()
    assert two.infer(pictures(0, 1)[0]).shape == (SIDE, SIDE)
    two.close()
    other.close()
    assert compiled.in_use() == before


def test_a_model_that_gives_no_request_is_given_back(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device that has no memory left for it."""
    before = compiled.in_use()

    class Full:
        def __init__(self, model: Any) -> None:
            self.inputs, self.output = model.inputs, model.output

        def create_infer_request(self) -> None:
            raise RuntimeError("out of memory")

    real = compiled._compile
    monkeypatch.setattr(compiled, "_compile", lambda wanted: Full(real(wanted)))
    backend = OpenVinoBackend("f32")
    for _ in range(2):
        with pytest.raises(ModelError, match="cannot run on CPU: out of memory"):
            backend.load(recipe, "CPU")
    assert compiled.in_use() == before


def test_who_comes_after_a_failure_gets_one_that_is_compiled_anew(recipe: Recipe) -> None:
    """Else two streams whose device was lost would hand the broken one to each other for ever."""
    before = compiled.in_use()
    broken, sharing, fresh = OpenVinoBackend(), OpenVinoBackend(), OpenVinoBackend()
    broken.load(recipe, "CPU")
    sharing.load(recipe, "CPU")
    broken.distrust()
    assert compiled.in_use() == before
    fresh.load(recipe, "CPU")
    sharing.distrust()  # of the old one: the new one is not concerned
    for backend in (broken, sharing):
        assert backend.infer(pictures(0, 1)[0]).shape == (SIDE, SIDE)
        backend.close()
    assert compiled.in_use() == before + 1
    fresh.close()
    fresh.distrust()
    assert compiled.in_use() == before


def test_a_rewritten_file_is_another_model(recipe: Recipe) -> None:
    before = compiled.in_use()
    one, two = OpenVinoBackend(), OpenVinoBackend()
    one.load(recipe, "CPU")
    os.utime(recipe.path, ns=(1, 1))
    two.load(recipe, "CPU")
    assert compiled.in_use() == before + 2
    one.close()
    two.close()


def test_two_threads_on_one_model_do_not_mix_their_answers(pair: tuple[OpenVinoBackend, OpenVinoBackend]) -> None:
    sets = [pictures(seed, 40) for seed in (1, 2)]
    expected = [[pair[0].infer(picture).copy() for picture in chosen] for chosen in sets]
    wrong: list[int] = []
    together = threading.Barrier(2, timeout=10)

    def run(who: int) -> None:
        together.wait()
        for _ in range(5):
            for picture, mask in zip(sets[who], expected[who], strict=True):
                if not np.array_equal(pair[who].infer(picture), mask):
                    wrong.append(who)

    threads = [threading.Thread(target=run, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_other_threads_run_during_inference(tmp_path: Path) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, 256, 256, 3], np.float32)
    x = ops.transpose(picture, np.array([0, 3, 1, 2]))
    channels = 3
    for wide in (48, 48, 1):
        weights = np.full((wide, channels, 9, 9), 1e-3, np.float32)
        x, channels = ops.convolution(x, weights, [1, 1], [4, 4], [4, 4], [1, 1]), wide
    path = tmp_path / "model.xml"
    ov.save_model(ov.Model([ops.result(x)], [picture], "slow"), str(path))
    backend = OpenVinoBackend("f32")
    backend.load(Recipe(name="slow", path=str(path), width=256, height=256), "CPU")
    assert_others_run_during(lambda: backend.infer(backend.tensor))
    backend.close()


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("model.xml", b"plain text", "is no IR: it does not begin as XML does"),
        ("model.xml", b"", "is no IR: it does not begin as XML does"),
        ("model.xml", b"<net name='a' version='11'><layers>", "cannot be read: Start-end tags mismatch"),
        ("model.bin", b"", "cannot be read: Incorrect weights in bin file"),
        ("model.bin", None, "model.bin does not exist"),
        ("model.xml", None, "model.xml does not exist"),
    ],
)
def test_broken_files(recipe: Recipe, file: str, content: bytes | None, sentence: str) -> None:
    damaged = Path(recipe.path).with_name(file)
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)
    before = compiled.in_use()
    with pytest.raises(ModelError) as caught:
        OpenVinoBackend().load(recipe, "CPU")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert compiled.in_use() == before


@pytest.mark.parametrize(
    ("backend", "device", "sentence"),
    [
        (OpenVinoBackend("int8"), "CPU", "precision 'int8' is none of auto, f32, bf16, f16"),
        (OpenVinoBackend(streams=0), "CPU", "0 streams are none"),
        (OpenVinoBackend(), "HETERO:CPU,TPU", "no device 'TPU'"),
    ],
)
def test_settings_that_cannot_be(recipe: Recipe, backend: OpenVinoBackend, device: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        backend.load(recipe, device)


def test_an_accelerator_that_is_not_there_may_come(recipe: Recipe) -> None:
    """Its driver may come up after us: the daemon ends with a code that systemd starts it again for."""
    with pytest.raises(DeviceError, match=r"no device 'NPU\.9'") as caught:
        OpenVinoBackend().load(recipe, "NPU.9")
    assert caught.value.exit_code == EXIT_UNEXPECTED


def test_compiled_models_are_kept_when_asked_for(recipe: Recipe, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    backend = OpenVinoBackend(cache_dir=cache)
    backend.load(recipe, "CPU")
    backend.close()
    assert list(cache.glob("*.blob"))


def test_openvino_does_not_phone_home(tmp_path: Path) -> None:
    """Its telemetry would be imported by ``import openvino`` and leave a client identifier in the home directory."""
    probe = (
        "import sys; from edgeseg.ovruntime import ov; ov.Core()\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')], 'telemetry is loaded'"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_models_load_and_see_nobody_in_an_empty_room() -> None:
    for name in ("selfie", "selfie-landscape"):
        recipe = load_recipe(find_model(name))
        backend = OpenVinoBackend()
        backend.load(recipe, "CPU")
        backend.tensor[:] = np.linspace(90, 160, recipe.width, dtype=np.uint8)[None, None, :, None]
        mask = backend.infer(backend.tensor)
        assert mask.shape == (recipe.height, recipe.width)
        assert np.count_nonzero(mask > 127) < mask.size // 50
        backend.close()
