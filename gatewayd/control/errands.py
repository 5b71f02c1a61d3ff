"""Work that is too long for anybody's loop: one program for each errand, given its question, whose answer is handed on.

Knows neither question nor answer. Bounded: how many run at once, for how long, and how much one may say.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Final

logger = logging.getLogger(__name__)

AT_ONCE_MAX: Final = 2
PATIENCE_S: Final = 60.0
ANSWER_SIZE_MAX: Final = 64 * 1024 * 1024
_STEP: Final = 256 * 1024


class ErrandFault(Exception):
    """There is no answer, and why, in a sentence for people."""


class Errands:
    """Runs a module of ours as a process for each errand; who comes when all are busy waits in line."""

    def __init__(self, module: str, environment: Mapping[str, str], patience_s: float = PATIENCE_S) -> None:
        self._command: Sequence[str] = (sys.executable, "-P", "-m", module)
        self._environment = environment
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(AT_ONCE_MAX)

    async def run(self, question: bytes) -> bytes:
        """The answer. Raises ErrandFault."""
        async with self._places:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._ask(question)
            except TimeoutError:
                raise ErrandFault(f"it was not done within {self._patience_s:g} s") from None
            except OSError as error:
                raise ErrandFault(f"it could not be begun: {error.strerror or error}") from error

    async def _ask(self, question: bytes) -> bytes:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            env=self._environment,
            process_group=0,  # a Ctrl-C at the terminal is for the supervisor alone
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(question)
            process.stdin.close()
            answer = bytearray()
            while piece := await process.stdout.read(_STEP):
                answer += piece
                if len(answer) > ANSWER_SIZE_MAX:
                    raise ErrandFault("there is too much to tell: ask for less")
            if await process.wait():
                raise ErrandFault("a fault of the gateway, see the log")
            return bytes(answer)
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
