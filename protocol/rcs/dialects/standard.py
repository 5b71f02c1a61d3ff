"""FNW.11 as it is written; Mavenir's and Melrose's platforms speak it."""

from __future__ import annotations

from protocol.rcs.gsma import Dialect

DIALECT = Dialect(name="standard")
