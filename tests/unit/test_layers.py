"""The shape of the house, read off the imports: data flows one way, and each thing is known in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "edgeseg"
MODULES = sorted(PACKAGE.rglob("*.py"))

EVERY_STAGE = {"types", "errors", "redact", "ffmpeg", "status", "log", "plugins"}
# What a stage may import beside that and its own folder, each for a reason that is written in that module.
STAGES = {
    "sources": set(),
    # tflite-runtime takes the process with it where a file was cut off: somebody has to look before it.
    "backends": {"backoff", "flatbuffer", "ovruntime"},
    "masks": set(),
    "effects": {"colour", "frames", "kernels"},
    "encoding": {"backoff", "frames", "queues", "flv"},
    # The hub's tags are FLV: who writes them elsewhere has to move their times.
    # Who was seen when is told to the recorder of events.
    "outputs": {"backoff", "flv", "presence", "retiming"},
}
# Rooms beside the way of a frame, where models are made ready and judged, and what each may import. None of them is
# part of a daemon that runs.
WORKSHOPS = {
    "convert": {"backends", "errors", "flatbuffer", "labels", "ovruntime", "pictures", "recipes", "table", "types"},
    "evaluate": {"backends", "colour", "errors", "masks", "ovruntime", "pictures", "recipes", "sampling"}
    | {"sources", "table", "types"},
    # It measures what the daemon builds, as the daemon builds it.
    "benchmark": {"build", "config", "encoding", "errors", "ffmpeg", "frames", "pipeline", "placement", "redact"}
    | {"table", "types"},
    "labels": set(),
    "library": {"convert", "errors", "recipes", "redact", "types"},
}
SHARED = EVERY_STAGE | {name for extra in STAGES.values() for name in extra if "." not in name}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, at any depth, absolute, with its line."""
    return list(imports_in(tree(path), path.relative_to(ROOT).with_suffix("").parts[:-1]))


def imports_in(module: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """The imports of a module that lies in ``package``."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *([node.module] if node.module else [])))
            if source.split(".")[0] == "edgeseg" and ROOT.joinpath(*source.split(".")).is_dir():
                yield from ((f"{source}.{name.name}", node.lineno) for name in node.names)
            else:
                yield source, node.lineno


def ours(path: Path) -> Iterator[tuple[str, int]]:
    """The imports of our own modules, without the leading ``edgeseg.``."""
    for module, line in imports(path):
        if module.startswith("edgeseg."):
            yield module.removeprefix("edgeseg."), line


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def violations(paths: list[Path], allowed: set[str]) -> list[str]:
    return [
        f"{name(path)}:{line} imports {module}"
        for path in paths
        for module, line in ours(path)
        if not within(module, allowed)
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_knows_none_of_its_neighbours(stage: str) -> None:
    paths = sorted((PACKAGE / stage).rglob("*.py"))
    assert len(paths) > 1
    assert violations(paths, EVERY_STAGE | STAGES[stage] | {stage}) == []


@pytest.mark.parametrize("room", WORKSHOPS)
def test_a_workshop_knows_what_it_works_on(room: str) -> None:
    assert violations(sorted((PACKAGE / room).rglob("*.py")), WORKSHOPS[room] | {room}) == []


def test_no_permission_is_left_over() -> None:
    """A permission that nobody uses is an invitation."""
    for stage, extra in (STAGES | WORKSHOPS).items():
        used = {module for path in (PACKAGE / stage).rglob("*.py") for module, _ in ours(path)}
        assert {want for want in extra if not any(within(module, {want}) for module in used)} == set()


@pytest.mark.parametrize("module", sorted(SHARED - {"types", "errors"}))
def test_what_stages_share_stands_on_nothing_but_itself(module: str) -> None:
    room = PACKAGE / module
    paths = sorted(room.glob("*.py")) if room.is_dir() else [PACKAGE / f"{module}.py"]
    assert violations(paths, SHARED) == []


def test_types_and_errors_are_the_ground() -> None:
    assert violations([PACKAGE / "types.py", PACKAGE / "errors.py"], set()) == []


@pytest.mark.parametrize(
    ("library", "where"),
    [
        ("yaml", {"config", "recipes.py"}),
        ("pydantic", {"config"}),
        ("aiohttp", {"service"}),
        ("prometheus_client", {"service"}),
        ("argparse", {"cli.py", "commands"}),
        ("ffmpeg", {"encoding", "outputs"}),
    ],
)
def test_each_library_is_known_in_one_place(library: str, where: set[str]) -> None:
    users = {name(path) for path in MODULES for module, _ in imports(path) if module.split(".")[0] == library}
    assert users, f"nobody imports {library}: is this test out of date?"
    assert {user for user in users if user.split("/")[0] not in where} == set()


@pytest.mark.parametrize(
    ("module", "who"),
    [
        ("daemon", {"commands/run.py"}),
        # `check --probe` opens what `run` would, and `bench` measures it.
        ("build", {"daemon.py", "probe/plan.py", "benchmark/stages.py", "benchmark/material.py"}),
        ("supervisor", {"daemon.py", "build.py"}),
        ("stream", {"supervisor.py", "build.py"}),
        ("pipeline", {"stream.py", "supervisor.py", "build.py", "benchmark/stages.py"}),
        ("commands", {"cli.py"}),
        ("benchmark", {"commands/_bench_streams.py"}),
        ("convert", {"commands/convert.py", "commands/inspect.py", "library/install.py", "library/packages.py"}),
        ("evaluate", {"commands/bench.py", "commands/eval.py"}),
        ("library", {"commands/models.py"}),
    ],
)
def test_what_builds_and_what_judges_is_known_where_it_is_called(module: str, who: set[str]) -> None:
    users = {
        name(path) for path in MODULES if path.name != "__main__.py" for used, _ in ours(path) if within(used, {module})
    }
    assert {user for user in users if user.split("/")[0] != module} - who == set()


def test_nobody_imports_openvino_past_its_guard() -> None:
    """``edgeseg.ovruntime`` keeps it from phoning home."""
    assert [name(path) for path in MODULES for module, _ in imports(path) if within(module, {"openvino"})] == []


def test_the_configuration_is_not_known_on_the_way_of_a_frame() -> None:
    way = ["pipeline.py", "stream.py", "supervisor.py", "sampling.py", "placement.py", "timeline.py", "queues.py"]
    for path in [PACKAGE / part for part in way]:
        assert not [module for module, _ in ours(path) if within(module, {"config", "service", "build", "cli"})]


def test_nothing_knows_the_shared_folder_or_this_machine() -> None:
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "../shared" not in text, name(path)
        assert str(ROOT) not in text, name(path)


def test_nobody_sleeps() -> None:
    """Waiting goes by an event, so that a stop is not waited out."""
    naps = [
        f"{name(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]
    assert naps == []


def test_the_checker_sees_what_it_should() -> None:
    """Imports at any depth and in any spelling."""
    text = "from edgeseg import config\nimport edgeseg.service.app\ndef f():\n    from ..outputs import feed\n"
    found = [module for module, _ in imports_in(ast.parse(text), ("edgeseg", "effects"))]
    assert found == ["edgeseg.config", "edgeseg.service.app", "edgeseg.outputs.feed"]
    assert not within("configuration", {"config"})
    assert within("config.schema", {"config"})
    assert "types" in {module for module, _ in ours(PACKAGE / "effects" / "blur.py")}
