"""The compiled build: it is made of these very sources and of no others, and says what the sources say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPILE = ROOT / "scripts" / "compile"
BUILD = ROOT / ".venv" / "compiled"
PROPERTIES = ("--ignore=tests/protocol/smpp/test_wireshark.py", "--ignore=tests/protocol/smpp/test_other_opinions.py")

# A pip that puts a marked copy where it is told to, or fails.
PIP = """\
#!/bin/sh
[ "$1" = -m ] || exec {python} "$@"
[ ! -e broken ] || {{ echo "no compiler"; exit 1; }}
while [ "$1" != --target ]; do shift; done
mkdir -p "$2" && cp -R "$3/protocol" "$2" && date +%N > "$2/made"
"""

has_compiler = shutil.which("gcc") is not None and Path(sysconfig.get_path("include"), "Python.h").exists()
needs_compiler = pytest.mark.skipif(not has_compiler, reason="no C compiler, or no Python.h")


class Checkout:
    """A copy of what is compiled, in which Python is played by a script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("gatewayd", "protocol"):
            (root / name).mkdir()
            (root / name / "__init__.py").touch()
        (root / "scripts").mkdir()
        for name in ("scripts/compile", "scripts/environment", "setup.py", "setup.cfg", "pyproject.toml", "LICENSE"):
            shutil.copy2(ROOT / name, root / name)
        for name in ("README.md", "constraints.txt"):
            (root / name).touch()
        python = root / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PIP.format(python=sys.executable))
        python.chmod(0o755)
        stamp = "cat setup.cfg pyproject.toml constraints.txt | cksum > .venv/gatewayd-stamp-test"
        subprocess.run(["sh", "-c", stamp], cwd=root, check=True)

    def compile(self, *words: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [self.root / "scripts" / "compile", *words]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=50, check=False)

    def made(self) -> str:
        """Which build lies there."""
        return (self.root / ".venv/compiled/made").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_is_made_once_for_each_state_of_the_sources(checkout: Checkout) -> None:
    done = checkout.compile()
    assert done.returncode == 0, done.stderr
    first = checkout.made()
    checkout.compile()
    assert checkout.made() == first
    (checkout.root / "gatewayd" / "__init__.py").write_text("changed = True\n")
    checkout.compile()
    second = checkout.made()
    assert second != first
    (checkout.root / "protocol" / "new.py").touch()
    checkout.compile()
    assert checkout.made() != second
    assert {path.name for path in (checkout.root / ".venv").iterdir()} == {"bin", "compiled", "gatewayd-stamp-test"}


def test_a_command_runs_with_it_where_it_was_started(checkout: Checkout) -> None:
    done = checkout.compile("sh", "-c", "pwd; echo $PYTHONPATH $PYTHONSAFEPATH; exit 7")
    assert done.returncode == 7
    assert done.stdout.splitlines() == [
        str(checkout.root),
        f"{checkout.root}/.venv/compiled:{checkout.root}/scripts 1",
    ]


def test_what_cannot_be_compiled_runs_nothing(checkout: Checkout) -> None:
    checkout.compile()
    (checkout.root / ".venv/compiled/sources").write_text("others\n")
    (checkout.root / "broken").touch()
    done = checkout.compile("echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no compiler\n\nscripts/compile: could not be compiled" in done.stderr


def test_clean_takes_it_away(checkout: Checkout) -> None:
    checkout.compile()
    assert checkout.compile("--clean").returncode == 0
    assert not (checkout.root / ".venv/compiled").exists()
    assert checkout.compile("--what").returncode == 2
    assert "scripts/compile --clean" in checkout.compile("--help").stdout


def test_an_editable_install_is_not_compiled(tmp_path: Path) -> None:
    """Its sources would change, and what was compiled beside them would be run all the same."""
    shutil.copy2(ROOT / "setup.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "setup.py", "editable_wheel"],
        cwd=tmp_path,
        env=dict(os.environ, GATEWAYD_COMPILED="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "use scripts/compile" in done.stderr


def test_nothing_compiled_lies_beside_the_sources() -> None:
    assert [path for package in ("gatewayd", "protocol") for path in (ROOT / package).rglob("*.so")] == []


def classes_of(path: Path) -> dict[str, set[str]]:
    """The classes of a module, and the last words of what each inherits from."""
    found = re.findall(r"^ *class (\w+)(?:\(([^)]*)\))?:", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: {base.strip().rpartition(".")[2] for base in bases.split(",")} for name, bases in found}


def is_left_out(module: Path) -> bool:
    """Whether a class of the module is made by msgspec or the standard library while it is imported."""
    is_decorated = "@dataclass" in module.read_text(encoding="utf-8")
    return is_decorated or any(bases & {"Struct", "NamedTuple"} for bases in classes_of(module).values())


def test_no_class_inherits_from_a_compiled_one() -> None:
    """Python forbids it at the first import, but only where they are compiled."""
    modules = [path for path in (ROOT / "protocol" / "smpp").glob("*.py") if not is_left_out(path)]
    compiled = {name for path in modules for name in classes_of(path)}
    assert {"Connection", "Framer"} <= compiled
    others = [path for name in ("gatewayd", "protocol", "scripts", "tests") for path in (ROOT / name).rglob("*.py")]
    heirs = {
        f"{path}: {name}"
        for path in others
        if path not in modules
        for name, bases in classes_of(path).items()
        if bases & compiled
    }
    assert heirs == set()


def compiled(*words: str | Path, timeout_s: float = 200) -> str:
    """What a command says that runs with the compiled build, of these sources, before the tests' folder."""
    places = f"PYTHONPATH={BUILD}:{ROOT}"
    done = subprocess.run(
        [COMPILE, "env", places, *words], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


@needs_compiler
@pytest.mark.timeout(240)
def test_what_was_compiled_says_what_the_sources_say() -> None:
    """Two processes, the same random input, a line for each thing asked."""
    program = [sys.executable, "-P", "-m", "tests.support.wire_outcomes", "20261126", "300"]
    ours = compiled(*program).splitlines()
    pure = subprocess.run(
        program, env=dict(os.environ, PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert len(ours) > 10_000
    assert [pair for pair in zip(ours, pure, strict=True) if pair[0] != pair[1]][:3] == []


@pytest.mark.long
@needs_compiler
@pytest.mark.timeout(240)
def test_all_that_can_be_is_compiled_and_passes_the_same_tests() -> None:
    assert compiled(sys.executable, "-m", "gatewayd", "version").endswith(", protocol compiled)\n")
    modules = {path.stem for path in (ROOT / "protocol/smpp").glob("*.py") if not is_left_out(path)} - {"__init__"}
    assert {path.name.split(".")[0] for path in (BUILD / "protocol/smpp").glob(f"*{EXTENSION_SUFFIXES[0]}")} == modules
    # Imported before pytest puts the sources first, so the tests cannot but meet what was compiled.
    first = "; ".join(
        f"import protocol.smpp.{name} as m; assert m.__file__.endswith('.so')" for name in sorted(modules)
    )
    options = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", *PROPERTIES, "tests/protocol/smpp"]
    said = compiled(sys.executable, "-c", f"{first}; import sys, pytest; sys.exit(pytest.main({options!r}))")
    assert " passed" in said
    assert "skipped" not in said
