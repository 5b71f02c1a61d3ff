"""A template names a picture beside it: each platform is brought it once, and messages wait for it, or go without."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatewayd.simulate.rbm import RbmPlatform
from gatewayd.simulate.rbm_http import TOKEN_PATH
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_files import StoredFile
from tests.daemon.conftest import Stage
from tests.daemon.process import merged, secret_file
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33610000001"
TEMPLATE = """
[content]
type = "rich_card"
[content.card]
title = "{text}"
[content.card.media]
url = "file:logo.png"
thumbnail = { url = "file:small/t.jpg" }
"""
LOGO, SMALL = b"\x89PNG" + bytes(range(256)) * 3_000, b"\xff\xd8" + b"x" * 500
NEVER_S = 1e6


def wishes(folder: Path, link: Mapping[str, Any] | None = None, template: str = TEMPLATE) -> dict[str, Any]:
    (folder / "templates").mkdir()
    (folder / "templates" / "card.toml").write_text(template)
    (folder / "media" / "small").mkdir(parents=True)
    (folder / "media" / "logo.png").write_bytes(LOGO)
    (folder / "media" / "small" / "t.jpg").write_bytes(SMALL)
    rcs = {"templates_dir": str(folder / "templates"), "media_dir": str(folder / "media")}
    return {"rcs": rcs, "links": {"rcs": dict(link or {})}}


def stored(scene: Scene, mime_type: str = "image/png") -> list[StoredFile]:
    return [file for file in scene.platform.files.files.values() if file.mime_type == mime_type]


async def uploaded(scene: Scene, outcome: str, count: int) -> None:
    await scene.until_samples(lambda samples: samples.value("gatewayd_uploads_total", outcome=outcome) >= count)


async def media_of(scene: Scene, number: int) -> list[dict[str, Any]]:
    """What the cards of the first messages show, once they are so many."""
    ledger = scene.platform.ledger
    await ledger.wait_for(lambda _: len(ledger.to(HANDSET)) >= number, WAIT_S)
    messages = [record.submission.message for record in ledger.to(HANDSET)]
    return [card_of(message)["media"] for message in messages]


def card_of(message: Any) -> Any:
    return message["richcardMessage"]["message"]["generalPurposeCard"]["content"]


@pytest.mark.parametrize("told", ["by webhook", "when asked"])
async def test_a_message_waits_until_the_platform_has_its_picture(stage: Stage, tmp_path: Path, told: str) -> None:
    scene = await stage(wishes(tmp_path), platform={"file_ready_after_s": NEVER_S})
    await uploaded(scene, "stored", 2)
    (logo,), (small,) = stored(scene), stored(scene, "image/jpeg")
    assert (logo.content, small.content) == (LOGO, SMALL)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "Hello")
    await scene.until_samples(lambda samples: samples.value("gatewayd_link_results_total", error="media_pending") >= 1)
    assert scene.platform.ledger.to(HANDSET) == []
    if told == "when asked":
        scene.platform.disturb(Wishes(lose_next=2))
    scene.platform.report_file(logo.id, "ready")
    scene.platform.report_file(small.id, "ready")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (media,) = await media_of(scene, 1)
    assert media == {
        "mediaUrl": logo.url,
        "mediaContentType": "image/png",
        "mediaFileSize": len(LOGO),
        "height": "MEDIUM_HEIGHT",
        "thumbnailUrl": small.url,
        "thumbnailContentType": "image/jpeg",
        "thumbnailFileSize": len(SMALL),
    }
    assert not scene.smsc.ledger.submits


async def test_a_restart_uploads_nothing_and_another_content_is_uploaded(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path))
    esme = await scene.esme()
    await scene.final(esme, await scene.send(esme, HANDSET, "1"))
    await scene.terminate()
    await scene.start()
    esme = await scene.esme()
    await scene.final(esme, await scene.send(esme, HANDSET, "2"))
    (first, second) = await media_of(scene, 2)
    assert first == second
    assert len(scene.platform.files.files) == 2
    (tmp_path / "media" / "logo.png").write_bytes(LOGO + b"!")
    await asyncio.to_thread(scene.daemon.tell, signal.SIGHUP)
    await scene.until_samples(lambda _: len(stored(scene)) == 2)
    await scene.final(esme, await scene.send(esme, HANDSET, "3"))
    third = (await media_of(scene, 3))[2]
    assert third["mediaFileSize"] == len(LOGO) + 1
    assert third["mediaUrl"] == stored(scene)[1].url != first["mediaUrl"]
    assert third["thumbnailUrl"] == first["thumbnailUrl"]
    assert len(scene.platform.files.files) == 3


@pytest.mark.long
async def test_each_worker_has_its_own_and_another_number_of_them_uploads_nothing(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(merged(wishes(tmp_path), {"daemon": {"workers": 2}}))
    await uploaded(scene, "stored", 4)
    await scene.terminate()
    scene.daemon.configure({"daemon": {"workers": 3}})
    await scene.start()
    esme = await scene.esme()
    handsets = [f"+3361000000{number}" for number in range(6)]
    for handset in handsets:
        await scene.final(esme, await scene.send(esme, handset, "Hello"))
    assert len(scene.platform.files.files) == 4
    messages = [record.submission.message for handset in handsets for record in scene.platform.ledger.to(handset)]
    assert len(messages) == len(handsets)
    assert {card_of(message)["media"]["mediaUrl"] for message in messages} <= {file.url for file in stored(scene)}


async def test_what_the_platform_lost_is_uploaded_again(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path))
    await uploaded(scene, "stored", 2)
    await scene.terminate()
    scene.platform.files.files.clear()
    await scene.start()
    await uploaded(scene, "gone", 2)
    esme = await scene.esme()
    await scene.final(esme, await scene.send(esme, HANDSET, "Hello"))
    (media,) = await media_of(scene, 1)
    assert [media["mediaUrl"]] == [file.url for file in stored(scene)]


async def test_a_file_is_renewed_before_its_time_is_over(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path, {"file_validity_h": 4 / 3600}))
    await uploaded(scene, "stored", 4)
    old, new = stored(scene)[:2]
    assert old.content == new.content == LOGO
    assert new.until > old.until
    esme = await scene.esme()
    await scene.final(esme, await scene.send(esme, HANDSET, "Hello"))
    (media,) = await media_of(scene, 1)
    assert media["mediaUrl"] != old.url


async def test_without_its_picture_a_message_goes_as_the_text_it_was(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path), platform={"file_fail_types": frozenset({"image/png"})})
    await uploaded(scene, "refused", 1)
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "Hello")) == "DELIVRD"
    (record,) = scene.platform.ledger.to(HANDSET)
    assert record.submission.message["textMessage"] == "Hello"
    samples = await scene.samples()
    assert samples.value("gatewayd_faults_total", side="carrier", kind="template_not_uploaded") == 1


async def test_google_is_given_a_name(stage: Stage, tmp_path: Path) -> None:
    platform = RbmPlatform()
    root = f"http://127.0.0.1:{await platform.start()}"
    key = platform.new_client(root + TOKEN_PATH).decode()
    link = {
        "kind": "rbm",
        "server_root": root,
        "bot_id": "agent",
        "service_account_file": secret_file(tmp_path / "google.json", key),
        "webhook_token_file": secret_file(tmp_path / "google.webhook", "token"),
    }
    own = {"links": {"google": link}, "routes": [{"links": ["google", "carrier"]}]}
    try:
        scene = await stage(merged(wishes(tmp_path), own))
        host, port = scene.daemon.webhooks
        platform.set_webhook(f"http://{host}:{port}/rcs/google", "token")
        esme = await scene.esme()
        assert await scene.final(esme, await scene.send(esme, HANDSET, "Hello")) == "DELIVRD"
        (record,) = platform.ledger.to(HANDSET)
        files = {file.media_type: file for file in platform.files.files.values()}
        assert {kind: file.content for kind, file in files.items()} == {"image/png": LOGO, "image/jpeg": SMALL}
        message: Any = record.message.body
        media = message["contentMessage"]["richCard"]["standaloneCard"]["cardContent"]["media"]
        named = {"fileName": files["image/png"].name, "thumbnailName": files["image/jpeg"].name}
        assert media["uploadedRbmFile"] == named
    finally:
        await platform.stop()
