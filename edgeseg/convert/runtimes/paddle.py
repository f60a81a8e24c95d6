"""Paddle programs in Paddle's own predictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Array
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.runtimes.framework import FrameworkEngine, ends, first_line
from edgeseg.errors import ModelError


def open_program(path: Path, weights: Path, model: Any) -> FrameworkEngine:
    """The program in ``path`` with its ``weights``; ``model`` is the ``openvino.Model`` of it.

    Raises:
        UsageError: Paddle is not installed.
        ModelError: it cannot run this program.
    """
    paddle = need("paddle", "paddle", "running a Paddle model")
    taken = ends(path, model.inputs)
    try:
        with quiet():
            config = paddle.inference.Config(str(path), str(weights))
            config.disable_gpu()
            config.disable_glog_info()
            config.switch_ir_optim(False)  # the program as it is: a proof wants the reference
            predictor = paddle.inference.create_predictor(config)
            known = predictor.get_input_names()
            feeds = [next(name for name in known if name in end.names) for end in taken]
    except Exception as exc:  # of Paddle's own classes; StopIteration where names differ
        raise ModelError(f"{path} cannot be run by Paddle: {first_line(exc)}") from exc
    fetches = predictor.get_output_names()

    def call(arrays: Sequence[Array]) -> list[Array]:
        for name, array in zip(feeds, arrays, strict=True):
            handle = predictor.get_input_handle(name)
            handle.reshape(array.shape)
            handle.copy_from_cpu(array)
        predictor.run()
        return [predictor.get_output_handle(name).copy_to_cpu() for name in fetches]

    return FrameworkEngine(path, f"paddlepaddle {paddle.__version__}", taken, fetches, call)
