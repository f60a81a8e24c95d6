"""Frozen graphs, SavedModels and Keras models in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Array
from edgeseg.convert.graph_walk import name
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.runtimes.framework import End, FrameworkEngine, ends, first_line
from edgeseg.errors import ModelError

_SERVING = "serving_default"


def open_graph(path: Path, model: Any) -> FrameworkEngine:
    """The frozen graph in ``path``, between the inputs and outputs of ``model``, an ``openvino.Model`` made of it.

    Raises:
        UsageError: TensorFlow is not installed.
        ModelError: it cannot run this graph.
    """
    tf = _tensorflow()
    taken, given = ends(path, model.inputs), _names(model)
    definition = tf.compat.v1.GraphDef()
    try:
        with quiet():
            definition.ParseFromString(path.read_bytes())
            graph = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
            feeds, fetches = (
                [_tensor(graph.graph, names) for names in side] for side in ([end.names for end in taken], given)
            )
            function = graph.prune(feeds, fetches)
    except Exception as exc:  # of TensorFlow's own classes
        raise ModelError(f"{path} cannot be run by TensorFlow: {first_line(exc)}") from exc

    def call(arrays: Sequence[Array]) -> list[Array]:
        return [answer.numpy() for answer in function(*(tf.constant(array) for array in arrays))]

    return FrameworkEngine(path, _runtime(tf), taken, [name(port) for port in model.outputs], call)


def open_saved_model(folder: Path, model: Any) -> FrameworkEngine:
    """The signature for serving of a SavedModel.

    Raises:
        UsageError: TensorFlow is not installed.
        ModelError: it cannot run this model.
    """
    tf = _tensorflow()
    taken, given = ends(folder, model.inputs), _names(model)
    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures[_SERVING if _SERVING in loaded.signatures else next(iter(loaded.signatures))]
    except (Exception, StopIteration) as exc:  # of TensorFlow's own classes
        raise ModelError(f"{folder} cannot be run by TensorFlow: {first_line(exc)}") from exc
    feeds = _keys(list(signature.structured_input_signature[1]), [end.names for end in taken], folder)
    fetches = _keys(list(signature.structured_outputs), given, folder)

    def call(arrays: Sequence[Array]) -> list[Array]:
        answers: Mapping[str, Any] = signature(**dict(zip(feeds, map(tf.constant, arrays), strict=True)))
        return [answers[key].numpy() for key in fetches]

    # Without ``loaded``, its variables are freed under the signature.
    call.__dict__["owner"] = loaded
    return FrameworkEngine(folder, _runtime(tf), taken, fetches, call)


def open_keras(path: Path, network: Any, model: Any) -> FrameworkEngine:
    """The Keras model ``network``, which is from ``path``.

    Raises:
        UsageError: TensorFlow is not installed.
        ModelError: it cannot run this model.
    """
    tf = _tensorflow()
    taken: tuple[End, ...] = ends(path, model.inputs)

    def call(arrays: Sequence[Array]) -> list[Array]:
        answers = network(list(arrays) if len(arrays) > 1 else arrays[0], training=False)
        return [answer.numpy() for answer in tf.nest.flatten(answers)]

    return FrameworkEngine(path, _runtime(tf), taken, [name(port) for port in model.outputs], call)


def _tensorflow() -> Any:
    return need("tensorflow", "tensorflow", "running a TensorFlow model")


def _runtime(tf: Any) -> str:
    return f"tensorflow {tf.__version__}"


def _names(model: Any) -> list[frozenset[str]]:
    return [frozenset(port.get_names()) for port in model.outputs]


def _tensor(graph: Any, names: frozenset[str]) -> Any:
    """The tensor of ``graph`` that goes by one of ``names``."""
    for known in sorted(names):
        try:
            return graph.as_graph_element(known, allow_operation=False)
        except (KeyError, ValueError):
            continue  # a name that OpenVINO gave it
    raise ModelError(f"no tensor of the graph is called {' or '.join(sorted(names))}")


def _keys(known: list[str], wanted: Sequence[frozenset[str]], folder: Path) -> list[str]:
    """For each of ``wanted``, the key of a signature that is among its names."""
    if len(known) == len(wanted) == 1:
        return known
    found = [next((key for key in known if key in names), "") for names in wanted]
    if "" in found or len(set(found)) != len(found):
        raise ModelError(f"{folder}: its signature has {', '.join(sorted(known))}, which OpenVINO calls otherwise")
    return found
