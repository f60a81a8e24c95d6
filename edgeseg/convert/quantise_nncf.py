"""nncf, which turns the floats of an OpenVINO model into whole numbers; loaded only when somebody asks for that.

It reports each call to a web analytics service where ``openvino_telemetry`` can be imported, looks at the model with
every framework that is installed, writes tables and progress bars, and makes its own class that of all new loggers of
the process. Nothing of this happens here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Array
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.convert.photographs import load, tensor
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.extras import need
from edgeseg.errors import EdgesegError, ModelError
from edgeseg.ovruntime import ov, reason
from edgeseg.types import Recipe

Preset = Literal["performance", "mixed"]
_TELEMETRY = "openvino_telemetry"
# nncf imports each of them, which takes seconds and hundreds of megabytes, to learn that the model is not theirs.
_FRAMEWORKS = ("torch", "tensorflow", "onnx")


def need_nncf() -> None:
    """See whether nncf is there.

    Raises:
        UsageError: it is not installed, or does not work here.
    """
    with _alone():
        _nncf()


def quantised(model: Any, recipe: Recipe, photographs: Sequence[Path], preset: Preset) -> Any:
    """``model``, the openvino.Model of the IR at ``recipe.path``, in int8; it is changed.

    The ranges of its numbers are those that occur on ``photographs``, prepared as ``recipe`` says. What ``model``
    carries as runtime information stays. Preset "performance" puts all ranges symmetrically round 0; "mixed" those of
    the weights only, which wastes no steps on numbers that never occur, as below 0 after a ReLU.

    Raises:
        UsageError: a photograph cannot be read, or nncf is not installed.
        ModelError: nncf cannot quantise the model, or it does not fit its recipe.
    """
    engine = OpenVinoEngine(Path(recipe.path))
    try:
        with _alone():
            nncf = _nncf()
            # Rounding put between two operators keeps OpenVINO from joining them when it loads the model: a dilated
            # convolution that comes as three ran eight times slower. So what can be joined is joined before.
            offline = import_module(f"{ov.__name__}._offline_transformations")
            offline.apply_moc_transformations(model, cf=False)
            samples = _Samples(engine, recipe, photographs)
            with quiet():
                return nncf.quantize(
                    model,
                    nncf.Dataset(samples),
                    subset_size=len(samples),
                    preset=nncf.QuantizationPreset(preset),
                    target_device=nncf.TargetDevice.CPU,
                )
    except EdgesegError:
        raise
    except Exception as exc:  # nncf has no base class, and OpenVINO raises RuntimeError
        raise ModelError(f"model {recipe.name!r} cannot be quantised: {reason(exc)}") from exc
    finally:
        engine.close()


class _Samples:
    """What the model is given, read anew each time nncf goes through it: hundreds of photographs need not fit into
    memory. A model with a prior channel sees each of them twice: without a mask before it, and with its own.
    """

    def __init__(self, engine: OpenVinoEngine, recipe: Recipe, photographs: Sequence[Path]) -> None:
        self._engine = engine
        self._recipe = recipe
        self._photographs = photographs
        self._codec = Codec(recipe, engine.inputs, engine.outputs)

    def __len__(self) -> int:
        return len(self._photographs) * (2 if self._recipe.prior_channel else 1)

    def __iter__(self) -> Iterator[Array]:
        for photograph in load(self._photographs):
            picture = tensor(photograph.rgb, self._recipe)
            first = self._codec.encode(picture).copy()  # the codec writes all of them into the same memory
            yield first
            if self._recipe.prior_channel:
                mask = self._codec.mask(self._engine.run([first]))
                yield self._codec.encode(picture, mask).copy()


def _nncf() -> Any:
    nncf = need("nncf", "int8", "--int8")
    # Not nncf.disable_logging(): a logger without handlers writes its warnings to stderr.
    nncf.set_log_level(logging.CRITICAL + 1)
    return nncf


@contextmanager
def _alone() -> Iterator[None]:
    """No telemetry and no framework can be imported that was not there before, and loggers keep their class."""
    hidden = [_TELEMETRY, *(name for name in _FRAMEWORKS if name not in sys.modules)]
    before: dict[str, ModuleType | None] = {name: sys.modules[name] for name in hidden if name in sys.modules}
    loggers = logging.getLoggerClass()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # the documented way to make an import fail
    try:
        yield
    finally:
        logging.setLoggerClass(loggers)
        for name in hidden:
            del sys.modules[name]
        sys.modules.update(before)  # type: ignore[arg-type]
