"""What `gatewayd trace` tells of messages that went through the real daemon, while it runs and after it has ended."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gatewayd.runtime.masking import Masker, read_key
from gatewayd.simulate.behaviour import Rule as CarrierRule
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.process import ROOT
from tests.daemon.scene import WAIT_S, Scene

HANDSET, RCS_HANDSET = "+33620000001", "+33610000001"
SECRET = "My secret is 4711"
pytestmark = pytest.mark.timeout(120)


def ask(scene: Scene, *words: str, code: int = 0, command: str = "trace") -> str:
    """What the command prints, held to its exit code."""
    line = [sys.executable, "-m", "gatewayd", command, *words, "--config", str(scene.daemon.config)]
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def stories(scene: Scene, *words: str) -> list[dict[str, Any]]:
    answer = await asyncio.to_thread(ask, scene, *words, "--json")
    found: list[dict[str, Any]] = json.loads(answer)
    return found


def events(story: dict[str, Any]) -> list[str]:
    return [event["event"] for event in story["events"]]


def in_order(story: dict[str, Any], *words: str) -> bool:
    """Whether the events happened, in this order."""
    left = iter(events(story))
    return all(word in left for word in words)


async def until_taken(scene: Scene, count: int) -> None:
    """Until the application's answers to so many deliveries are counted."""
    await scene.until_samples(lambda s: s.value("gatewayd_deliveries_total", outcome="delivered") >= count)


async def test_an_sms_from_the_submit_to_its_receipt(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, SECRET)
    assert await scene.final(esme, message_id) == "DELIVRD"
    await until_taken(scene, 1)
    (running,) = await stories(scene, message_id)
    assert in_order(running, "accepted", "stored", "routed", "queued", "taken", "ended", "receipt_owed", "delivered")
    assert (running["state"], running["account"], running["link"]) == ("DELIVRD", "shop", "carrier")
    await scene.terminate()
    (ended,) = await stories(scene, message_id)
    assert ended == running
    table = await asyncio.to_thread(ask, scene, message_id)
    for words in (str(ended), table):
        assert HANDSET.removeprefix("+") not in words
        assert SECRET not in words
        assert Masker(read_key(scene.daemon.config.parent / "spool"))(HANDSET) in words


async def test_why_a_message_went_by_sms_after_all(stage: Stage) -> None:
    scene = await stage({"links": {"rcs": {"deadline_s": 1.05}}})
    scene.tell_handsets(Rule(sent_after_s=0.0, delivery="never", on_expiry="ignore"))
    scene.smsc.script.tell(CarrierRule(answer="throttle", times=1))
    esme = await scene.esme()
    message_id = await scene.send(esme, RCS_HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    await until_taken(scene, 1)
    (story,) = await stories(scene, message_id)
    # The platform's webhook and its answer to the revoke may come in either order.
    assert in_order(story, "accepted", "asks_capability", "reachable", "leaves", "taken", "session_opened", "revokes")
    assert in_order(story, "revokes", "revoke_asked", "moved_on", "deferred", "taken", "ended", "delivered")
    assert {"capability_answered", "revoke_asked"} <= set(events(story))
    (deferred,) = [event for event in story["events"] if event["event"] == "deferred"]
    assert (deferred["link"], deferred["error"]) == ("carrier", "ESME_RTHROTTLED")


async def test_a_message_that_is_refused_and_wants_no_receipt(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(CarrierRule(answer="refuse", status="ESME_RINVDSTADR"))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?", registered_delivery=0)
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", outcome="UNDELIV") == 1)
    (story,) = await stories(scene, message_id)
    assert in_order(story, "accepted", "refused", "ended")
    assert (story["state"], story["error"]) == ("UNDELIV", "ESME_RINVDSTADR")


async def test_a_long_message_is_told_with_all_its_parts(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    for handset in (HANDSET, RCS_HANDSET):
        ids = [one.message_id for one in await sent_long(scene, handset)]
        assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
        told = await stories(scene, ids[1])
        assert [story["message"] for story in told] == ids
        assert [story["state"] for story in told] == ["DELIVRD"] * 3
        if handset == RCS_HANDSET:
            assert "joined" in events(told[0])
            assert "travels_in" in events(told[2])


async def sent_long(scene: Scene, handset: str) -> list[Any]:
    esme = scene.esmes[0]
    sent = esme.send("33700000001", handset, "Bonjour " * 50, long="udh")
    await esme.wait_answered()
    return sent


async def test_the_latest_messages_of_a_number(stage: Stage) -> None:
    scene = await stage({"daemon": {"workers": 2}, "accounts": {"shop": {"binds_max": 8}}})
    esme = await scene.esme()
    ids = [await scene.send(esme, HANDSET, f"{number}") for number in range(4)]
    others = [await scene.send(esme, f"+3362000{number:04}", "other") for number in range(10, 20)]
    for message_id in [*ids, *others]:
        assert await scene.final(esme, message_id) == "DELIVRD"
    scene.smsc.send_mo(HANDSET, "+33700000001", SECRET)
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    await until_taken(scene, len(ids) + len(others) + 1)
    reply, *found = await stories(scene, HANDSET, "--last", "3")
    assert [story["message"] for story in found] == [ids[3], ids[2]]
    assert {story["state"] for story in found} == {"DELIVRD"}
    assert (reply["direction"], reply["state"]) == ("inbound", "delivered")
    listing = await asyncio.to_thread(ask, scene, HANDSET)
    assert [line.split()[0] for line in listing.splitlines()] == ["message", reply["message"], *ids[::-1]]
    assert SECRET not in listing
    assert in_order((await stories(scene, reply["message"]))[0], "received", "delivered")
    await scene.kill()
    again = await stories(scene, f"00{HANDSET[1:]}")
    assert [story["message"] for story in again] == [reply["message"], *ids[::-1]]
    await asyncio.to_thread(ask, scene, "+33699999999", code=1)


async def test_a_log_for_machines_shows_no_number_and_lets_one_be_followed(stage: Stage) -> None:
    scene = await stage({"daemon": {"log_format": "json", "workers": 2}, "accounts": {"shop": {"binds_max": 8}}})
    scene.tell_handsets(Rule(capable=False))
    esme = await scene.esme()
    for handset in (HANDSET, RCS_HANDSET):
        assert await scene.final(esme, await scene.send(esme, handset, SECRET)) == "DELIVRD"
    await scene.terminate()
    lines = [json.loads(line) for line in scene.daemon.log.splitlines()]
    assert {"time", "level", "priority", "logger"} <= set.intersection(*map(set, lines))
    for number in (HANDSET, RCS_HANDSET):
        assert number.removeprefix("+") not in scene.daemon.log
        masked = await asyncio.to_thread(ask, scene, number, command="mask")
        events = [line["event"] for line in lines if line.get("handset") == masked.strip()]
        assert events[-1] == "delivrd"
        assert ("fallback" in events) == (number == RCS_HANDSET)
    assert SECRET not in scene.daemon.log


async def test_texts_and_numbers_only_where_they_may_be_seen(stage: Stage) -> None:
    scene = await stage({"history": {"text_h": 1.0}, "log": {"reveal": True}})
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, SECRET)
    assert await scene.final(esme, message_id) == "DELIVRD"
    await scene.terminate()
    (told,) = await stories(scene, message_id)
    assert "text" not in told
    (revealed,) = await stories(scene, message_id, "--reveal")
    assert (revealed["text"], revealed["handset"]) == (SECRET, HANDSET.removeprefix("+"))
    scene.daemon.configure({"log": {"reveal": False}})
    assert "log.reveal is false" in await asyncio.to_thread(ask, scene, message_id, "--reveal", code=4)
