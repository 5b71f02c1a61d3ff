"""Refuses to run when the package ``protocol`` is a stranger's of the same name, and says of ours which dialects lie in
it and whether it is compiled.

The name is short and others use it: installing one of them can replace ours silently. Imports neither package.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import gatewayd

_FOLDER: Final = Path(gatewayd.__file__).resolve().parent.parent / "protocol"


def stranger() -> str | None:
    """A sentence saying what is wrong with the ``protocol`` that would be imported, or None when it is ours."""
    spec = importlib.util.find_spec("protocol")
    return judge(Path(gatewayd.__file__), spec.origin if spec else None)


def dialects() -> tuple[str, ...]:
    """The dialects of the GSMA API, by the names of their modules in ``protocol``."""
    found = (_FOLDER / "rcs" / "dialects").glob("*.py")
    return tuple(sorted(path.stem for path in found if path.stem != "__init__"))


def how_built() -> str:
    """``compiled`` where the SMPP of ``protocol`` is, for the Python that runs, else ``pure``."""
    module = _FOLDER / "smpp" / "pdu"
    return "compiled" if any(module.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES) else "pure"


def judge(ours: Path, found: str | None) -> str | None:
    """Whether ``found`` (protocol's ``__init__.py``) lies beside ``ours`` (gatewayd's)."""
    expected = ours.resolve().parent.parent / "protocol" / "__init__.py"
    if found is not None and Path(found).resolve() == expected:
        return None
    what = (
        f"the Python package 'protocol' was found at {found}" if found else "the Python package 'protocol' is missing"
    )
    return (
        f"{what}, and not beside gatewayd at {expected}: another package of that name has taken its place. "
        "Install gatewayd into an environment of its own."
    )
