"""Compiles `protocol.smpp` with mypyc where GATEWAYD_COMPILED=1 asks for it. All else stands in setup.cfg.

    GATEWAYD_COMPILED=1 pip install -c constraints.txt .

It is the same source: what is compiled lies beside it in the wheel, and Python takes it first.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

PACKAGE = Path("protocol", "smpp")
# Records whose constructors are written at run time, which compiled code calls wrongly: their modules stay as they are.
MADE_AT_RUN_TIME = {"Struct", "NamedTuple", "dataclass"}

is_asked_for = os.environ.get("GATEWAYD_COMPILED") == "1"


def makes_records(module: Path) -> bool:
    """Whether a module defines such a class."""
    classes = [node for node in ast.walk(ast.parse(module.read_bytes())) if isinstance(node, ast.ClassDef)]
    origins = [origin for each in classes for origin in (*each.bases, *each.decorator_list)]
    names = {ast.unparse(origin.func if isinstance(origin, ast.Call) else origin) for origin in origins}
    return not MADE_AT_RUN_TIME.isdisjoint(name.rpartition(".")[2] for name in names)


def refuse(why: str) -> None:
    sys.exit(f"GATEWAYD_COMPILED=1: {why}")


def check_compiler() -> None:
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not shutil.which(command.split()[0]) or not header.exists():
        refuse("needs a C compiler and Python's headers (on Debian: apt-get install gcc libc6-dev python3-dev)")


def compiled_modules() -> list[Extension]:
    from mypyc.build import mypycify

    check_compiler()
    modules = [path for path in sorted(PACKAGE.glob("*.py")) if path.stem != "__init__" and not makes_records(path)]
    extensions = mypycify([str(path) for path in modules], group_name="protocol_smpp")
    for extension in extensions:
        # A newer compiler has warnings of its own, which are no reason to do without it.
        extension.extra_compile_args = [word for word in extension.extra_compile_args if word != "-Werror"]
    return extensions


if is_asked_for and not {"editable_wheel", "develop"}.isdisjoint(sys.argv):
    refuse("an editable install would keep running what was compiled, whatever its sources say; use scripts/compile")

setup(
    # pip asks for names and requirements first: only a wheel is worth compiling for.
    ext_modules=compiled_modules() if is_asked_for and "bdist_wheel" in sys.argv else [],
    setup_requires=["mypy >= 1.11", "msgspec >= 0.19"] if is_asked_for else [],
)
