"""What one inference costs in the daemon, of several models in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.types import U8, Recipe

_TURNS = 20
_WARM_UP = 3


def cpu_ms(recipes: Sequence[Recipe], pictures: Sequence[U8], seconds: float) -> list[float]:
    """Milliseconds of processor time for one inference of each model, from u8 picture to u8 mask; medians.

    As the daemon runs them: on the processor, one thread, in the precision that is fastest there. They take turns, the
    first of one round being the last of the next, so that what else the machine does meets all alike; and what others
    take from the processor does not count.

    Args:
        recipes: the models.
        pictures: u8 [1, h, w, 3] in the recipes' size and colour order, at least one.
        seconds: processor time for each model. Each of its turns is one inference at least.

    Raises:
        ModelError: one cannot be loaded.
        InferenceError: one does not answer.
    """
    with ExitStack() as stack:
        backends = []
        for recipe in recipes:
            backend = OpenVinoBackend()
            stack.callback(backend.close)
            backend.load(recipe, "CPU")
            for _ in range(_WARM_UP):
                backend.infer(pictures[0])
            backends.append(backend)
        runners = [(backend, cycle(pictures), list[float]()) for backend in backends]
        for _ in range(_TURNS):
            for backend, shown, costs in runners:
                spent = 0.0
                while spent <= seconds / _TURNS:
                    picture = next(shown)
                    begun = time.process_time()
                    backend.infer(picture)
                    costs.append(time.process_time() - begun)
                    spent += costs[-1]
            runners.reverse()
        # An even number of turns: the runners stand in the order of the recipes again.
        return [statistics.median(costs) * 1e3 for _, _, costs in runners]
