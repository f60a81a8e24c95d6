"""One compiled model for all streams of the process that run the same one.

A compiled model is a few tens of megabytes and takes up to a second to make; the requests on it are cheap and run
side by side. The last one to give it back frees it.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

from edgeseg.backends import ir_file
from edgeseg.backends.engine import no_device
from edgeseg.backends.fit import misfit
from edgeseg.backends.graph import wrap
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov, reason
from edgeseg.types import PlaneFormat, Recipe

_ACCELERATORS = ("GPU", "NPU")  # whose drivers may come up after us
_CONTAINERS = ("AUTO", "HETERO", "MULTI", "BATCH")  # name other devices after a colon
_PRECISIONS = ("auto", "f32", "bf16", "f16")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that a compiled model depends on; equal ones are shared. With ``planes`` it takes such frames, and
    else tensors.
    """

    recipe: Recipe
    written_ns: tuple[int, int]
    device: str
    precision: str
    streams: int
    cache_dir: Path | None
    planes: PlaneFormat | None = None

    @classmethod
    def of(cls, recipe: Recipe, device: str, precision: str, streams: int, cache_dir: Path | None) -> Wanted:
        """Check what can be checked before anything is loaded.

        Raises:
            ModelError: a file is missing, the precision is not known, or this machine has no such device.
        """
        if precision not in _PRECISIONS:
            raise ModelError(f"model {recipe.name!r}: precision {precision!r} is none of {', '.join(_PRECISIONS)}")
        if streams < 1:
            raise ModelError(f"model {recipe.name!r}: {streams} streams are none")
        model, weights = ir_file.files(Path(recipe.path), f"model {recipe.name!r}: ")
        _check_device(device)
        written = (model.stat().st_mtime_ns, weights.stat().st_mtime_ns)
        plain = dataclasses.replace(recipe, path=str(model.resolve()), extra=())
        return cls(plain, written, device, precision, streams, cache_dir)

    def properties(self) -> dict[str, Any]:
        """What OpenVINO is told. There is one CPU thread for each stream."""
        properties = ir_file.properties(self.precision, self.device, streams=self.streams, threads=self.streams)
        if self.cache_dir is not None:
            properties["CACHE_DIR"] = str(self.cache_dir)
        return properties


@dataclasses.dataclass(slots=True)
class _Shared:
    model: Any
    holders: int = 0


_lock = threading.Lock()
_core: Any = None
_shared: dict[Wanted, _Shared] = {}


def acquire(wanted: Wanted) -> Any:
    """The compiled model for ``wanted``, as ``graph.wrap`` describes it; to be given back with ``release``.

    Raises:
        ModelError: the files are no model, do not fit the recipe, or the device cannot run them.
    """
    with _lock:
        shared = _shared.get(wanted)
        if shared is None:
            shared = _shared[wanted] = _Shared(_compile(wanted))
        shared.holders += 1
        return shared.model


def release(wanted: Wanted, model: Any) -> None:
    """Give back what ``acquire`` gave."""
    with _lock:
        shared = _shared.get(wanted)
        if shared is None or shared.model is not model:
            return  # distrusted meanwhile
        shared.holders -= 1
        if not shared.holders:
            del _shared[wanted]


def distrust(wanted: Wanted, model: Any) -> None:
    """Who comes next gets another one: this one answers no more, say because its device was lost."""
    with _lock:
        shared = _shared.get(wanted)
        if shared is not None and shared.model is model:
            del _shared[wanted]


def in_use() -> int:
    """How many compiled models the process holds."""
    with _lock:
        return len(_shared)


def _openvino() -> Any:
    global _core
    if _core is None:
        _core = ov.Core()
    return _core


def _check_device(device: str) -> None:
    available = list(_openvino().available_devices)
    name, _, rest = device.partition(":")
    if name in _CONTAINERS:
        asked = [part.strip(" -").partition("(")[0] for part in rest.split(",") if part]
    else:
        asked = [device]
    families = {entry.partition(".")[0] for entry in available}
    for entry in asked:
        if entry not in available and entry not in families:
            raise no_device(entry, available, may_come=entry.partition(".")[0] in _ACCELERATORS)


def _compile(wanted: Wanted) -> Any:
    recipe = wanted.recipe
    model = ir_file.read(_openvino(), Path(recipe.path), f"model {recipe.name!r}: ")
    try:
        wrapped = wrap(model, recipe, wanted.planes)
    except RuntimeError as exc:
        raise ModelError(f"{misfit(recipe)}: {reason(exc)}") from exc
    try:
        return _openvino().compile_model(wrapped, wanted.device, wanted.properties())
    except RuntimeError as exc:
        raise ModelError(f"model {recipe.name!r} cannot run on {wanted.device}: {reason(exc)}") from exc
