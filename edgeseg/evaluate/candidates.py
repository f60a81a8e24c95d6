"""Which ways there are to run one model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeseg.backends.choose import backend_name
from edgeseg.errors import UsageError
from edgeseg.evaluate.opening import open_chosen
from edgeseg.ovruntime import ov
from edgeseg.types import Backend, Recipe

_BESIDE = ("model.tflite", "model.onnx")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file, the backend that runs it, and where; ``device`` "AUTO" is the backend's own choice.

    Those that are ``asked_for`` have to run; the others are tried.
    """

    recipe: Recipe
    backend: str
    device: str = "AUTO"
    precision: str = "auto"
    asked_for: bool = True

    @property
    def file(self) -> str:
        return Path(self.recipe.path).name

    def open(self, streams: int) -> Backend:
        """A backend with the model loaded; ``streams`` of them are to run at the same time.

        Raises:
            ModelError: the model cannot be loaded.
            UsageError: there is no such backend, or it is not installed.
        """
        options = {"precision": self.precision, "streams": streams} if self.backend == "openvino" else {}
        return open_chosen(self.recipe, self.backend, self.device, **options)


def candidates(
    recipe: Recipe,
    backends: Sequence[str] = (),
    devices: Sequence[str] = (),
    against: Sequence[Path] = (),
    precision: str = "auto",
) -> list[Candidate]:
    """The model on each of ``devices`` (default: all that OpenVINO sees) in each of ``backends`` (default: the one for
    its file), then the files ``against``, then a model.tflite or model.onnx that lies beside it.

    Raises:
        UsageError: a file to compare with does not exist.
    """
    found = []
    for name in backends or [backend_name(recipe)]:
        chosen = backend_name(recipe) if name == "auto" else name
        if devices:
            found += [Candidate(recipe, chosen, device, precision) for device in devices]
        elif chosen == "openvino":
            # The processor must work; what else there is may be broken without stopping the rest.
            found += [
                Candidate(recipe, chosen, device, precision, device == "CPU") for device in ov.Core().available_devices
            ]
        else:
            found.append(Candidate(recipe, chosen))
    for file in against:
        if not file.is_file():
            raise UsageError(f"--against: {file} does not exist")
        found.append(_other(recipe, file, precision, asked_for=True))
    asked = {Path(candidate.recipe.path).resolve() for candidate in found}
    beside = (Path(recipe.path).with_name(name) for name in _BESIDE)
    found += [_other(recipe, file, precision, False) for file in beside if file.is_file() and file not in asked]
    return found


def device_names(found: Sequence[Candidate]) -> dict[str, str]:
    """The full names of OpenVINO's devices among the candidates."""
    core = ov.Core()
    used = {candidate.device for candidate in found if candidate.backend == "openvino"}
    return {
        device: str(core.get_property(device, "FULL_DEVICE_NAME")).strip()
        for device in core.available_devices
        if device in used
    }


def _other(recipe: Recipe, file: Path, precision: str, asked_for: bool) -> Candidate:
    other = replace(recipe, path=str(file.resolve()))
    name = backend_name(other)
    return Candidate(other, name, "CPU" if name == "openvino" else "AUTO", precision, asked_for)
