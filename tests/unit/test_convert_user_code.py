"""Making a network by the name of a function."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeseg.convert.readers.user_code import is_spec, make
from edgeseg.errors import ModelError, UsageError

CODE = """
import sibling_of_numpy

class Net:
    pass

def make_net():
    return ("made", sibling_of_numpy.VALUE)

def broken():
    raise KeyError("weights.pth")

ready = 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Code in a file with the name of a library, and in a package; the working directory is there."""
    (tmp_path / "numpy.py").write_text(CODE)
    (tmp_path / "sibling_of_numpy.py").write_text("VALUE = 7\n")
    (tmp_path / "mynets").mkdir()
    (tmp_path / "mynets" / "__init__.py").write_text("")
    (tmp_path / "mynets" / "small.py").write_text("def make():\n    return 'small'\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        ("net.py:make_net", True),
        ("some/folder/net.py:make_net", True),
        ("mynets.small:make", True),
        ("net.py", False),
        ("net.onnx", False),
        ("C:net.onnx", False),
        ("some/folder:make", False),
        (":make", False),
    ],
)
def test_what_names_a_function(source: str, spec: bool) -> None:
    assert is_spec(source) is spec


def test_a_function_is_called_and_a_value_taken(folder: Path) -> None:
    assert make("numpy.py:make_net") == (folder / "numpy.py", ("made", 7))
    assert type(make(f"{folder}/numpy.py:Net")[1]).__name__ == "Net"
    assert make("numpy.py:ready")[1] == 5
    assert make("mynets.small:make")[1] == "small"
    assert str(folder) not in sys.path
    assert sys.modules["numpy"].__name__ == "numpy"
    assert not str(sys.modules["numpy"].__file__).startswith(str(folder))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("numpy.py:other", r"numpy\.py has no other \(it has Net, broken, make_net\)"),
        ("none.py:make", r"none\.py does not exist"),
        ("mynets.large:make", r"there is no module mynets\.large"),
        ("nobody:make", "there is no module nobody"),
    ],
)
def test_a_wrong_name(folder: Path, spec: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make(spec)


def test_code_that_fails(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"numpy\.py:broken cannot be made: KeyError: 'weights\.pth'"):
        make("numpy.py:broken")
    Path("bad.py").write_text("import not_installed_at_all\n")
    with pytest.raises(ModelError, match="No module named 'not_installed_at_all'"):
        make("bad.py:make")
