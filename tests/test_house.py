"""The rules of the house that a program can check: sizes, names, twins, docstrings, and where packages lie.

Knows the tree as text and syntax only; runs none of it.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = [path for package in ("gatewayd", "protocol") for path in sorted((ROOT / package).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
FILE_LINES_MEDIAN_MAX = 200

# A ratchet: these may become fewer or shorter, never more or longer.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

# Packages whose modules are each proved by a test module of their own, and those that are not yet.
TWINNED = ("protocol", "gatewayd/policy", "gatewayd/store", "gatewayd/runtime")
WITHOUT_TWIN: set[str] = set()

EMPTY_NAMES = {
    "base",
    "common",
    "core",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "manager",
    "misc",
    "proxy",
    "util",
    "utils",
}
STANDARD_NAMES = {"http", "json", "logging", "queue", "select", "signal", "string", "types"}
FORGOTTEN = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def functions_of(path: Path) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield f"{name_of(path)}:{node.name}", node


def lines_of(node: Function) -> int:
    """Length without the docstring: explaining must not be punished."""
    body_from = node.lineno
    first = node.body[0]
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (node.end_lineno or body_from) - body_from + 1 - docstring


def identifiers_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the module gives: variables, attributes, parameters, functions and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, Function | ast.ClassDef):
            yield node.name, node.lineno


def test_no_file_is_too_long() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE + TESTS + SCRIPTS}
    assert {name: size for name, size in sizes.items() if size > LONG_FILES.get(name, FILE_LINES_MAX)} == {}
    assert [name for name, size in LONG_FILES.items() if sizes.get(name, 0) < size] == [], "shorten the ratchet"


def test_the_median_file_is_short() -> None:
    sizes = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in CODE if path.name != "__init__.py")
    assert sizes[len(sizes) // 2] <= FILE_LINES_MEDIAN_MAX


def test_no_function_is_too_long() -> None:
    sizes = {name: lines_of(node) for path in CODE + TESTS + SCRIPTS for name, node in functions_of(path)}
    assert {name: size for name, size in sizes.items() if size > LONG_FUNCTIONS.get(name, FUNCTION_LINES_MAX)} == {}
    assert [name for name, size in LONG_FUNCTIONS.items() if sizes.get(name, 0) < size] == [], "shorten the ratchet"


def test_every_module_says_what_it_is_for() -> None:
    assert [name_of(path) for path in CODE + SCRIPTS if not ast.get_docstring(tree_of(path))] == []


def test_every_public_name_of_protocol_is_explained() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in CODE
        if path.is_relative_to(ROOT / "protocol")
        for node in tree_of(path).body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_module_has_its_twin() -> None:
    missing = {
        name_of(path)
        for path in CODE
        if name_of(path).startswith(TWINNED)
        and path.name != "__init__.py"
        and not (ROOT / "tests" / path.relative_to(ROOT)).with_name(f"test_{path.name}").exists()
    }
    assert missing - WITHOUT_TWIN == set()
    assert WITHOUT_TWIN - missing == set(), "these have a twin now, or are gone: take them off the list"


def test_no_module_has_an_empty_name_or_one_of_the_standard_librarys() -> None:
    words = {name_of(path): {path.stem, path.parent.name} for path in CODE + SCRIPTS}
    assert {name: bad for name, of_it in words.items() if (bad := of_it & (EMPTY_NAMES | STANDARD_NAMES))} == {}


def test_nothing_is_named_protocol() -> None:
    """The word is the package's; a second meaning would be one too many."""
    named = [
        f"{name_of(path)}:{line}"
        for path in CODE + TESTS + SCRIPTS
        if "protocol" in path.read_text(encoding="utf-8").lower()
        for name, line in identifiers_of(tree_of(path))
        if name.lower() == "protocol"
    ]
    assert named == []


def test_nothing_is_left_for_later() -> None:
    found = {name_of(path): FORGOTTEN.findall(path.read_text(encoding="utf-8")) for path in CODE + SCRIPTS}
    assert {name: words for name, words in found.items() if words} == {}


def sleeps_of(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        is_zero = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if call in {"time.sleep", "sleep"} or (call == "asyncio.sleep" and not is_zero):
            yield node.lineno


def test_no_test_sleeps() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in TESTS}
    suspects = [path for path, text in texts.items() if "sleep(" in text]
    assert [f"{name_of(path)}:{line}" for path in suspects for line in sleeps_of(tree_of(path))] == []


def test_a_sleep_would_be_seen() -> None:
    source = (
        "import time, asyncio\ntime.sleep(1)\nasync def f(s):\n    await asyncio.sleep(s)\n    await asyncio.sleep(0)\n"
    )
    assert list(sleeps_of(ast.parse(source))) == [2, 4]


def imports_of(tree: ast.Module) -> set[str]:
    nodes = [*ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_packages_are_imported_two_levels_deep() -> None:
    """`import protocol` says nothing of what is wanted, and a stranger of that name would answer it."""
    assert [name_of(path) for path in CODE if "protocol" in imports_of(tree_of(path))] == []


def test_an_import_would_be_seen() -> None:
    assert imports_of(ast.parse("import a.b, c\nfrom d.e import f\n")) == {"a.b", "c", "d.e"}


def test_protocol_lies_beside_gatewayd() -> None:
    """A distribution called `protocol` is on the public index; installed over ours it would break us silently."""
    import gatewayd
    import protocol as ours

    assert Path(str(ours.__file__)).parent.parent == Path(str(gatewayd.__file__)).parent.parent


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "conf/gatewayd.toml",
        "scripts/test",
    ],
)
def test_the_house_is_complete(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def requirement_names(text: str) -> set[str]:
    lines = (line.strip() for line in text.splitlines())
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", match.group()).lower() for match in found if match}


def test_the_constraints_cover_what_we_ask_for() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    asked = requirement_names(setup["options"]["install_requires"]) | requirement_names(
        setup["options.extras_require"]["test"]
    )
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert asked - requirement_names(pinned) == set()
    assert [line for line in pinned.splitlines() if line and not re.match(r"#|[\w.-]+==(\d+!)?[\w.]+$", line)] == []


def test_the_version_is_in_the_changelog() -> None:
    import gatewayd

    assert f"## {gatewayd.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pyproject_holds_only_what_setup_cfg_cannot() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(pyproject) == {"build-system", "tool"}
    assert set(pyproject["tool"]) == {"ruff"}
