"""Vi: Dotgo's requests, with events as FNW.11 has them but for ``message_status`` and ``read``, which are read too."""

from __future__ import annotations

import msgspec

from protocol.rcs.dialects import dotgo
from protocol.rcs.events import read_webhook

DIALECT = msgspec.structs.replace(dotgo.DIALECT, name="vi", read_events=read_webhook)
