"""The other TFLite package, ``tflite-runtime``, in an environment of its own: it needs numpy 1, which everything else
here has left behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mean_models import mean_tflite

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has no wheel for Python 3.12 and later"),
]
ROOT = Path(__file__).resolve().parents[2]
# What the tests themselves need; of [test], ai-edge-litert and onnxruntime would bring the other runtimes.
_FOR_TESTS = ("pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100", "flatbuffers")
_TESTS = (
    "tests/contracts/test_backends.py",
    "tests/contracts/test_engines.py",
    *(f"tests/integration/test_backend_{name}.py" for name in ("litert", "edgetpu")),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with edgeseg[tflite-runtime], as pip resolves it."""
    folder = tmp_path_factory.mktemp("tflite-runtime") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    found = folder / "bin" / "python"
    _pip(found, "-e", f"{ROOT}[tflite-runtime]", *_FOR_TESTS)
    return found


def test_it_passes_the_contract_with_numpy_1(python: Path) -> None:
    versions = "import numpy; from edgeseg.backends.litert import find_runtime as f; print(f().name, numpy.__version__)"
    runtime, _, numpy = _run(python, "-c", versions).stdout.strip().rpartition(" ")
    assert runtime == "tflite-runtime 2.14.0"
    assert numpy.startswith("1.")
    done = _run(python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", "not onnx", *_TESTS)
    assert done.returncode == 0, done.stdout[-4000:]
    for backend in ("litert", "openvino"):
        assert f"test_answers_with_the_mask_of_the_picture[{backend}] PASSED" in done.stdout


def test_numpy_2_is_explained(python: Path, tmp_path: Path) -> None:
    newer = tmp_path / "numpy-2"
    _pip(python, "--no-deps", "--target", str(newer), "numpy>=2")
    model = tmp_path / "model.tflite"
    mean_tflite(model, 32, 16)
    call = (
        f"import sys; sys.path.insert(0, {str(newer)!r})\n"
        "from pathlib import Path\n"
        "from edgeseg.backends.litert import LiteRtEngine, ModelError\n"
        f"try: LiteRtEngine(Path({str(model)!r}))\n"
        "except ModelError as exc: print(exc)\n"
    )
    done = _run(python, "-c", call)
    assert done.stdout.startswith("tflite-runtime 2.14.0 does not work with numpy 2."), done.stderr
    assert done.stderr == ""


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def _run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), *arguments], cwd=ROOT, capture_output=True, text=True)
