"""The way to an Edge TPU, up to the device: a delegate that is compiled here stands for libedgetpu."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.edgetpu import EdgeTpuBackend, EdgeTpuEngine, devices
from edgeseg.backends.litert import LiteRtEngine
from edgeseg.errors import EXIT_MODEL, EXIT_UNEXPECTED, InferenceError, ModelError
from edgeseg.types import Recipe
from tests.equipment.pretend_edgetpu import pretend_edgetpu
from tests.mean_models import edgetpu_tflite, mean_tflite
from tests.shared import shared

WIDTH, HEIGHT = 8, 4
PICTURE = np.zeros((1, HEIGHT, WIDTH, 3), np.float32)
NOBODY = 65534


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    edgetpu_tflite(path, WIDTH, HEIGHT)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def recipe(path: Path) -> Recipe:
    return Recipe(name="tiny", path=str(path), width=WIDTH, height=HEIGHT)


def plug_in(root: Path, kind: str, number: int = 1, product: tuple[str, str] = ("1a6e", "089a")) -> Path:
    """An Edge TPU as the kernel shows it below ``root``; the device file that stands for it."""
    if kind == "pci":
        node = root / "dev" / f"apex_{number}"
        (root / "sys" / "class" / "apex" / node.name).mkdir(parents=True)
    else:
        entry = root / "sys" / "bus" / "usb" / "devices" / f"2-{number}"
        entry.mkdir(parents=True)
        facts = {"idVendor": product[0], "idProduct": product[1], "busnum": "2", "devnum": str(number)}
        for name, content in facts.items():
            (entry / name).write_text(f"{content}\n")
        node = root / "dev" / "bus" / "usb" / "002" / f"{number:03}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody to whom files can be closed."""
    if os.getuid() != 0:
        yield
        return
    os.setreuid(NOBODY, 0)  # the rights to files are asked for the real user
    try:
        yield
    finally:
        os.setreuid(0, 0)


def refused(model: Path, root: Path, device: str = "AUTO", said: str = "", *, may_come: bool = True) -> str:
    with pytest.raises(ModelError) as caught:
        EdgeTpuEngine(model, device, pretend_edgetpu(), {"refuse": said}, root=root)
    assert caught.value.permanent
    # systemd starts the daemon again for a stick that is plugged in late.
    assert caught.value.exit_code == (EXIT_UNEXPECTED if may_come else EXIT_MODEL)
    return str(caught.value)


def test_the_delegate_is_made_asked_to_prepare_run_and_destroyed(model: Path, log: Path) -> None:
    engine = EdgeTpuEngine(model, "usb:1", pretend_edgetpu(), {"log": str(log), "Performance": "Medium"})
    assert engine.runtime.endswith(" with libpretend.so.1")
    assert engine.inputs[0].shape == (1, HEIGHT, WIDTH, 3)
    assert log.read_text().splitlines() == ["create device=usb:1 Performance=Medium", "prepare"]
    assert np.all(engine.run([PICTURE + 0.5])[0] == 0.5)
    engine.close()
    engine.close()
    assert log.read_text().splitlines()[2:] == ["invoke", "destroy"]
    with pytest.raises(InferenceError, match="is closed"):
        engine.run([PICTURE])


def test_closing_under_a_call_that_runs_waits_for_its_end(
    model: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EdgeTpuEngine(model, "usb", pretend_edgetpu(), {"log": str(log)})
    inside, leave = threading.Event(), threading.Event()
    run = LiteRtEngine.run

    def slow(self: LiteRtEngine, arrays: list[np.ndarray]) -> list[np.ndarray]:
        inside.set()
        assert leave.wait(30)
        return run(self, arrays)

    monkeypatch.setattr(LiteRtEngine, "run", slow)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.run, [PICTURE + 0.5])
        try:
            assert inside.wait(30)
            engine.close()
            assert "destroy" not in log.read_text()
        finally:
            leave.set()
        assert np.all(answer.result(30)[0] == 0.5)
    assert log.read_text().splitlines()[2:] == ["invoke", "destroy"]


@pytest.mark.parametrize(
    ("device", "told"),
    [("AUTO", ""), ("", ""), ("usb", " device=usb"), ("pci:0", " device=pci:0"), (":1", " device=:1")],
)
def test_the_device_is_handed_on(model: Path, log: Path, device: str, told: str) -> None:
    EdgeTpuEngine(model, device, pretend_edgetpu(), {"log": str(log)}).close()
    assert log.read_text().splitlines() == [f"create{told}", "prepare", "destroy"]


def test_no_library(model: Path) -> None:
    with pytest.raises(ModelError) as caught:
        EdgeTpuEngine(model, library="libedgetpu-that-is-not-there.so.1")
    assert str(caught.value) == (
        "libedgetpu-that-is-not-there.so.1 is not installed "
        "(it is in the package libedgetpu1-std of Coral's Debian repository)"
    )


def test_a_library_that_cannot_be_loaded(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "libedgetpu.so.1"
    broken.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(ModelError, match=rf"^{broken} cannot be loaded: "):
        EdgeTpuEngine(model, library=str(broken))


def test_a_library_that_is_no_delegate(model: Path) -> None:
    with pytest.raises(ModelError) as caught:
        EdgeTpuEngine(model, library="libc.so.6")
    assert str(caught.value) == (
        "libc.so.6 is no TensorFlow Lite delegate: it has no function tflite_plugin_create_delegate"
    )


def test_no_device(model: Path, tmp_path: Path) -> None:
    plug_in(tmp_path, "usb", 4, ("046d", "0825"))  # a camera
    assert refused(model, tmp_path).startswith(
        "no Edge TPU on this machine (available: none: a USB one is shown by lsusb as 1a6e:089a or 18d1:9302"
    )


def test_another_device_than_the_one_asked_for(model: Path, tmp_path: Path) -> None:
    plug_in(tmp_path, "usb", 1)
    plug_in(tmp_path, "usb", 2, ("18d1", "9302"))
    plug_in(tmp_path, "pci", 0)
    assert [tpu.kind for tpu in devices(tmp_path)] == ["pci", "usb", "usb"]
    available = "(available: pci:0, usb:0, usb:1)"
    assert refused(model, tmp_path, "usb:2") == f"no device 'usb:2' on this machine {available}"
    assert refused(model, tmp_path, "pci:1") == f"no device 'pci:1' on this machine {available}"
    assert refused(model, tmp_path, "CPU", may_come=False) == f"no device 'CPU' on this machine {available}"


@pytest.mark.parametrize(("kind", "group"), [("usb", "plugdev"), ("pci", "apex")])
def test_no_permission(model: Path, tmp_path: Path, kind: str, group: str) -> None:
    node = plug_in(tmp_path, kind)
    node.chmod(0)
    with unprivileged():
        sentence = refused(model, tmp_path, kind, may_come=False)
    assert sentence == (
        f"no permission to use the Edge TPU at {node} "
        f"(the user has to be in the group {group}, to which libedgetpu's udev rules give it)"
    )


def test_a_device_that_a_container_hides(model: Path, tmp_path: Path) -> None:
    node = plug_in(tmp_path, "usb")
    node.unlink()
    sentence = refused(model, tmp_path, may_come=False)
    assert sentence.startswith(f"the Edge TPU at {node} is plugged in, but hidden from this process (")


def test_a_device_that_is_taken(model: Path, tmp_path: Path) -> None:
    node = plug_in(tmp_path, "pci")
    reason = "(another process may hold it; if none does, unplug it once)"
    assert refused(model, tmp_path) == f"the Edge TPU at {node} could not be opened {reason}"
    assert refused(model, tmp_path, said="busy") == f"the Edge TPU at {node} could not be opened: busy {reason}"


def test_a_delegate_that_does_not_take_the_model(model: Path, log: Path) -> None:
    with pytest.raises(ModelError, match="the executable is for another runtime version") as caught:
        EdgeTpuEngine(model, library=pretend_edgetpu(), options={"log": str(log), "fail": "prepare"})
    assert "\n" not in str(caught.value)
    assert log.read_text().splitlines() == ["create fail=prepare", "prepare", "destroy"]


def test_a_stick_that_is_pulled_out(model: Path) -> None:
    backend = EdgeTpuBackend(pretend_edgetpu(), {"fail": "invoke"})
    backend.load(recipe(model), "AUTO")
    for _ in range(2):
        with pytest.raises(InferenceError, match=r"model\.tflite did not answer: the stick was pulled out"):
            backend.infer(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))
    backend.close()


def test_a_model_that_is_not_compiled_for_it(tmp_path: Path) -> None:
    path = tmp_path / "plain.tflite"
    mean_tflite(path, WIDTH, HEIGHT)
    with pytest.raises(ModelError) as caught:
        EdgeTpuBackend(pretend_edgetpu()).load(recipe(path), "AUTO")
    assert str(caught.value) == (
        f"model 'tiny': {path} is not compiled for the Edge TPU "
        "(edgetpu_compiler makes such a file of an int8 model; backend: litert runs this one on the CPU)"
    )


def test_other_threads_run_while_the_device_is_looked_for(model: Path, tmp_path: Path) -> None:
    """A stick takes its firmware for seconds. This one waits for a byte that another thread sends."""
    pipe = tmp_path / "firmware"
    os.mkfifo(pipe)
    opened: list[EdgeTpuEngine] = []
    thread = threading.Thread(
        target=lambda: opened.append(EdgeTpuEngine(model, library=pretend_edgetpu(), options={"pipe": str(pipe)}))
    )
    thread.start()
    with pipe.open("wb") as end:  # waits for the delegate to read, and runs while it does
        end.write(b"!")
    thread.join(30)
    assert len(opened) == 1
    opened[0].close()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("prisma_quant_edgetpu.tflite", (1, 256, 256, 1)),
        ("deeplabv3_mnv2_dm05_pascal_quant_edgetpu.tflite", (1, 513, 513)),
    ],
)
def test_real_compiled_models_get_as_far_as_the_device(name: str, answer: tuple[int, ...], log: Path) -> None:
    engine = EdgeTpuEngine(shared("models", name), "usb", pretend_edgetpu(), {"log": str(log)})
    assert engine.outputs[0].shape == answer
    engine.close()
    assert log.read_text().splitlines() == ["create device=usb", "prepare", "destroy"]
