"""What makes rich messages of plain ones in a worker: templates, the local files in them, and their names at platforms.

Puts parts together and decides nothing, as the composition root does whose part it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gatewayd.carriers.media import Media
from gatewayd.carriers.template_rules import read_all
from gatewayd.carriers.templates import Templates, files_of
from gatewayd.config.load import Loaded
from gatewayd.flow.files import Files
from gatewayd.runtime.metrics import Metrics
from gatewayd.store.journal import Journal

if TYPE_CHECKING:
    from gatewayd.carriers.uploader import Filing

log = logging.getLogger("gatewayd")


class Enriching:
    """The wiring of rich content in one worker."""

    def __init__(self, journal: Journal, metrics: Metrics, on_fault: Callable[[str], None]) -> None:
        self.templates = Templates(on_fault)
        self._media = Media()
        self._journal = journal
        self._metrics = metrics

    def learn(self, loaded: Loaded, *, wholly: bool = False) -> str:
        """Use the sound templates, or, if they are wanted ``wholly``, leave all as it is for a fault; the first one.

        What is in the local files that they name is looked at anew.
        """
        templates, faults = read_all(loaded.templates, media=loaded.media)
        for fault in faults:
            log.error("= %s", fault)
        if not (faults and wholly):
            self.templates.learn(templates)
            self._media.learn(loaded.config.rcs.media_dir, files_of(templates))
        return str(faults[0]) if faults else ""

    def filing(self, link: str) -> Filing:
        """What a link needs for its files."""
        from gatewayd.carriers.uploader import Filing

        uploads = self._metrics.uploads

        def count(outcome: str) -> None:
            uploads.labels(link, outcome).value += 1

        return Filing(self._media, Files(self._journal, link), count)
