"""What a platform calls a file is known again after a crash, by link and content, until the platform drops it."""

from __future__ import annotations

from collections.abc import Callable

from gatewayd.carriers.link import KeptFile
from gatewayd.flow.files import Files
from gatewayd.store.kinds import FILE
from tests.gatewayd.flow.scene import Scene


def kept(until: float, ref: str = "https://x.example/1") -> KeptFile:
    return KeptFile("bot", ref, "f-1", "image/png", 9, is_ready=True, sent_at=1.0, until=until)


async def test_it_is_known_again_after_a_crash(stage: Callable[..., Scene]) -> None:
    scene = stage("bot")
    files = Files(scene.journal, "bot")
    mine = kept(scene.now + 100.0)
    files.keep("ab", mine)
    await scene.settle()
    assert files.recall("ab") == mine
    assert Files(scene.journal, "other").recall("ab") is None
    await scene.crash()
    files = Files(scene.journal, "bot")
    assert files.recall("ab") == mine
    files.keep("ab", kept(scene.now + 200.0, "https://x.example/2"))
    assert files.recall("ab") == kept(scene.now + 200.0, "https://x.example/2")
    files.forget("ab")
    assert files.recall("ab") is None


async def test_what_the_platform_has_dropped_is_purged(stage: Callable[..., Scene]) -> None:
    scene = stage("bot")
    files = Files(scene.journal, "bot")
    files.keep("ab", kept(scene.now + 10.0))
    await scene.settle()
    await scene.journal.fold()
    scene.now += 11.0
    assert scene.spool.purge((FILE,)) == {"file": 1}
    assert files.recall("ab") is None
