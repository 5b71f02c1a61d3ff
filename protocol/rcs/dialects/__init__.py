"""The dialects of the GSMA API, one module each with a ``DIALECT``; the module's name is what operators configure.

Adding one is adding a module here, and its tests.
"""

from __future__ import annotations

import importlib
import re

from protocol.rcs.gsma import Dialect

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def named(name: str) -> Dialect:
    """The dialect of a name; raises LookupError when there is none."""
    if _NAME.fullmatch(name):
        try:
            found = importlib.import_module(f"{__name__}.{name}").DIALECT
        except ModuleNotFoundError:
            found = None
        if isinstance(found, Dialect):
            return found
    raise LookupError(name)
