"""What `gatewayd trace` tells of messages that went through the real daemon, while it runs and after it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from gatewayd.runtime.masking import Masker, read_key
from gatewayd.simulate.behaviour import Rule as CarrierRule
from gatewayd.simulate.esme import Esme, NotBoundError
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
    (running,), table = await stories(scene, message_id), await asyncio.to_thread(ask, scene, message_id)
    assert in_order(running, "accepted", "stored", "routed", "queued", "taken", "ended", "receipt_owed", "delivered")
    assert (running["state"], running["account"], running["link"]) == ("DELIVRD", "shop", "carrier")
    listing, masked = (
        await asyncio.to_thread(ask, scene, HANDSET),
        await asyncio.to_thread(ask, scene, HANDSET, command="mask"),
    )
    # It was the daemon that told this; now the files do, and look the same.
    asked = json.loads(await asyncio.to_thread(ask, scene, "--json", command="status"))["control"]["asked"]
    assert asked == 2 * 4 + 1
    await scene.terminate()
    assert await stories(scene, message_id) == [running]
    assert await asyncio.to_thread(ask, scene, message_id) == table
    assert await asyncio.to_thread(ask, scene, HANDSET) == listing
    assert await asyncio.to_thread(ask, scene, HANDSET, command="mask") == masked
    for words in (str(running), table):
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
    # The platform's webhook and its answer to the revoke may come in either order, and of what a slow disk takes in one
    # commit, notes are told first.
    assert in_order(story, "accepted", "asks_capability", "reachable", "leaves", "taken", "session_opened", "revokes")
    assert in_order(story, "revokes", "moved_on", "taken", "ended", "delivered")
    assert {"capability_answered", "revoke_asked", "deferred"} <= set(events(story))
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
    for system_id, password in (("shop", "wrong"), ("password", "shop")):
        with pytest.raises(NotBoundError):
            await Esme(system_id, password).connect("127.0.0.1", scene.north.port)
    for handset in (HANDSET, RCS_HANDSET):
        assert await scene.final(esme, await scene.send(esme, handset, SECRET)) == "DELIVRD"
        scene.smsc.send_mo(handset, "+33700000001", SECRET)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 2, WAIT_S)
    await scene.terminate()
    lines = [json.loads(line) for line in scene.daemon.log.splitlines()]
    assert {"time", "level", "priority", "logger"} <= set.intersection(*map(set, lines))
    assert {line["worker"] for line in lines if "event" in line} <= {0, 1}
    turned_away = [(line["account"], line["status"]) for line in lines if line.get("event") == "bind_refused"]
    assert turned_away == [("shop", "ESME_RINVPASWD"), ("pa…", "ESME_RINVSYSID")]
    assert not [line for line in lines if "password" in line.values()]
    for number in (HANDSET, RCS_HANDSET):
        assert number.removeprefix("+") not in scene.daemon.log
        masked = await asyncio.to_thread(ask, scene, number, command="mask")
        told = [line for line in lines if line.get("handset") == masked.strip()]
        story = {"events": told}
        assert in_order(story, "taken", "accepted", "delivrd", "delivered")
        assert in_order(story, "inbound", "delivered")
        assert ("fallback" in events(story)) == (number == RCS_HANDSET)
        assert {line["kind"] for line in told if line["event"] == "delivered"} == {"receipt", "mo"}
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


async def test_a_trace_is_told_whether_workers_or_the_supervisor_hang(stage: Stage) -> None:
    silence = {"daemon": {"worker_silence_s": 100.0}}  # it is not to be killed meanwhile
    scene = await stage({"history": {"text_h": 1.0}, "log": {"reveal": True}} | silence)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, SECRET)
    assert await scene.final(esme, message_id) == "DELIVRD"
    await until_taken(scene, 1)
    revealed = await asyncio.to_thread(ask, scene, message_id, "--reveal")
    assert SECRET in revealed
    assert HANDSET[1:] in revealed
    status = json.loads(await asyncio.to_thread(ask, scene, "--json", command="status"))
    workers = [worker["pid"] for worker in status["workers"]]
    try:
        os.kill(workers[0], signal.SIGSTOP)
        assert await asyncio.to_thread(ask, scene, message_id, "--reveal") == revealed
        os.kill(status["pid"], signal.SIGSTOP)
        told = await asyncio.to_thread(ask, scene, message_id, "--reveal")
        silent = "gatewayd: the daemon did not answer within 3 s: it hangs, or is very busy, see its log"
        said = f"{silent}: its files are read instead\n"
        assert told == revealed + said
    finally:
        for process in (status["pid"], *workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
