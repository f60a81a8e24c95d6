"""The engine runs an IR as it is in its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.errors import EXIT_MODEL, InferenceError, ModelError
from edgeseg.ovruntime import ov


def save(path: Path, shape: list[int], kind: type = np.float32) -> Path:
    """x, named "picture" → its sum over the last axis, and x + 1."""
    ops = ov.opset13
    picture = ops.parameter(shape, kind, name="picture")
    picture.output(0).set_names({"picture"})
    total = ops.reduce_sum(ops.convert(picture, "f32"), np.array([len(shape) - 1]))
    total.output(0).set_names({"total"})
    more = ops.add(picture, ops.constant(np.array(1, kind)))
    ov.save_model(ov.Model([ops.result(total), ops.result(more)], [picture]), str(path), compress_to_fp16=False)
    return path


def test_raw_arrays_go_in_and_come_out(tmp_path: Path) -> None:
    engine = OpenVinoEngine(save(tmp_path / "model.xml", [1, 2, 3]))
    assert [(port.name, port.shape, port.dtype) for port in engine.inputs] == [("picture", (1, 2, 3), np.float32)]
    assert [port.shape for port in engine.outputs] == [(1, 2), (1, 2, 3)]
    assert engine.outputs[0].name == "total"
    assert engine.runtime.startswith("openvino 20")
    for seed in (1, 2):
        x = np.random.default_rng(seed).normal(size=(1, 2, 3)).astype(np.float32)
        total, more = engine.run([x])
        np.testing.assert_allclose(total, x.sum(axis=2), rtol=1e-6)
        np.testing.assert_allclose(more, x + 1, rtol=1e-6)
    engine.close()
    engine.close()


def test_f32_is_exact_where_the_device_would_round(tmp_path: Path) -> None:
    engine = OpenVinoEngine(save(tmp_path / "model.xml", [1, 2]), precision="f32", threads=2)
    x = np.array([[1 + 2**-20, 2**-20]], np.float32)
    assert engine.run([x])[0][0] == np.float32(1 + 2**-19)
    engine.close()


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int32, np.float16])
def test_whole_numbers_and_half_floats(tmp_path: Path, kind: type) -> None:
    engine = OpenVinoEngine(save(tmp_path / "model.xml", [2, 2], kind))
    assert engine.inputs[0].dtype == kind
    assert engine.outputs[1].dtype == kind
    np.testing.assert_array_equal(engine.run([np.full((2, 2), 3, kind)])[1], np.full((2, 2), 4, kind))
    engine.close()


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    engine = OpenVinoEngine(save(tmp_path / "model.xml", [2, 2]))
    with pytest.raises(InferenceError, match=r"takes float32 \(2, 2\) as 'picture', and was given float32 \(2, 3\)"):
        engine.run([np.zeros((2, 3), np.float32)])
    with pytest.raises(InferenceError, match=r"was given float64 \(2, 2\)"):
        engine.run([np.zeros((2, 2))])
    with pytest.raises(InferenceError, match="takes 1 arrays, and was given 2"):
        engine.run([np.zeros((2, 2), np.float32)] * 2)
    assert engine.run([np.zeros((2, 2), np.float32)])[0].shape == (2,)  # and goes on
    engine.close()
    with pytest.raises(InferenceError, match="is closed"):
        engine.run([np.zeros((2, 2), np.float32)])


def test_files_that_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.xml does not exist") as caught:
        OpenVinoEngine(tmp_path / "absent.xml")
    assert caught.value.exit_code == EXIT_MODEL
    path = save(tmp_path / "model.xml", [2, 2])
    with pytest.raises(ModelError, match=r"cannot run on TPU: .*\(available: .*CPU"):
        OpenVinoEngine(path, device="TPU")
    weights = path.with_suffix(".bin").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"model\.bin does not exist"):
        OpenVinoEngine(path)
    weights.rename(path.with_suffix(".bin"))
    path.write_text("just some text, renamed")
    with pytest.raises(ModelError, match="is no IR: it does not begin as XML does"):
        OpenVinoEngine(path)
    path.write_text("<net>")
    with pytest.raises(ModelError, match="cannot be read") as caught:
        OpenVinoEngine(path)
    assert "\n" not in str(caught.value)


def test_an_open_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"input 0 has no fixed shape, but \[\?,2\] \(edgeseg convert --size"):
        OpenVinoEngine(save(tmp_path / "model.xml", [-1, 2]))
