"""The command line against a running daemon of two workers: every command, as table and JSON, and who is refused."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatewayd.control.listener import SOCKET_NAME
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate import rcs_behaviour as rcs
from gatewayd.simulate.behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.process import PASSWORD, ROOT, secret_file
from tests.daemon.scene import WAIT_S, Scene

pytestmark = pytest.mark.timeout(180)  # each starts several processes

READY = re.compile(r"= worker (\d) is ready \(process (\d+)\)")
TWO = {"daemon": {"workers": 2}, "accounts": {"shop": {"binds_max": 8}}}
HANDSETS = [f"+336200000{number:02}" for number in range(8)]


class Done:
    """How a command ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        assert "Traceback" not in done.stderr, done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def run(scene: Scene, *words: str, text: str = "", columns: int = 100, **how: Any) -> Done:
    """``gatewayd WORDS`` for the scene's daemon."""
    command = [sys.executable, "-m", "gatewayd", *words, "--config", str(scene.daemon.config)]
    environment = os.environ | {"COLUMNS": str(columns), "NO_COLOR": "1"}
    call: Any = subprocess.run
    return Done(
        await asyncio.to_thread(
            call,
            command,
            cwd=ROOT,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **how,
        )
    )


async def ask(scene: Scene, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    """The same with --json."""
    done = await run(scene, *words, "--json")
    assert done.code in codes, done.err
    return done.json


async def until(scene: Scene, condition: Any, *words: str) -> Any:
    """Ask until the answer is as it must be, also while a worker is away."""
    async with asyncio.timeout(WAIT_S):
        while not condition(answer := await ask(scene, *words, codes=(0, 5))):
            pass
    return answer


async def send_all(scene: Scene, esme: Any, **how: Any) -> list[str]:
    return [await scene.send(esme, handset, "hello", **how) for handset in HANDSETS]


async def test_the_state_on_one_screen(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    ids = await send_all(scene, esme)
    for message_id in ids:
        assert await scene.final(esme, message_id) == "DELIVRD"
    facts = await until(scene, lambda facts: facts["accounts"]["shop"]["delivered"] == len(ids), "status")
    assert facts["silent"] == []
    assert [worker["is_ready"] for worker in facts["workers"]] == [True, True]
    shop, carrier = facts["accounts"]["shop"], facts["links"]["carrier"]
    assert (shop["binds_up"], shop["binds_max"], shop["submitted"], shop["depth"]) == (1, 8, len(ids), 0)
    assert (carrier["binds_up"], carrier["binds"], carrier["sent"], carrier["queue"]) == (1, 1, len(ids), 0)
    wide, narrow = await run(scene, "status"), await run(scene, "status", columns=60)
    for done in (wide, narrow):
        assert done.code == 0
        assert re.search(r"^gatewayd \S+  running for ", done.out)
        assert re.search(r"^carrier +up +1/1 +0/100", done.out, re.MULTILINE)
        assert re.search(r"^shop +1/8 +8\b", done.out, re.MULTILINE)
    assert max(map(len, narrow.out.splitlines())) <= 60
    assert "delivered" in wide.out
    assert "delivered" not in narrow.out
    accounts = await run(scene, "accounts")
    assert re.search(r"^shop +1/8 +any +8 .* 8\b", accounts.out, re.MULTILINE)
    assert (await ask(scene, "accounts"))["accounts"]["bank"]["binds_up"] == 0


async def test_binds_are_shown_and_kicked(stage: Stage) -> None:
    scene = await stage(TWO)
    esmes = [await scene.esme(), await scene.esme("bank", mode="receiver")]
    found = await ask(scene, "binds")
    assert sorted((bind["account"], bind["mode"]) for bind in found["rows"]) == [
        ("bank", "receiver"),
        ("shop", "transceiver"),
    ]
    assert found["more"] is False
    assert re.search(r"^\d-\d +bank +127\.0\.0\.1 +receiver", (await run(scene, "binds")).out, re.MULTILINE)
    limited = await run(scene, "binds", "--limit", "1")
    assert "(the first 1; --limit shows more)" in limited.err
    (bind,) = (await ask(scene, "binds", "--account", "bank"))["rows"]
    assert await ask(scene, "binds", "kick", bind["id"]) == {"kicked": 1, "silent": []}
    await esmes[1].wait_for(lambda: esmes[1].closed_reason != "")
    assert esmes[0].is_bound
    assert (await run(scene, "binds", "kick", "--account", "shop")).out == "1 bind ended\n"
    await esmes[0].wait_for(lambda: esmes[0].closed_reason != "")
    assert (await run(scene, "binds", "kick", "9-9")).code == 1
    assert (await run(scene, "binds", "kick")).code == 2


async def test_a_paused_link_rests_over_a_crash_and_a_restart(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    assert (await run(scene, "links", "pause", "carrier")).out == "carrier is paused\n"
    await send_all(scene, esme)
    facts = await ask(scene, "links")
    assert facts["links"]["carrier"]["is_paused"] is True
    assert facts["links"]["carrier"]["queue"] == len(HANDSETS)
    assert facts["paused"]["carrier"]["by"]
    assert re.search(r"^carrier +smpp +paused by \w+, .* 8 ", (await run(scene, "links")).out, re.MULTILINE)
    # A worker that is started anew hears of it, a reload forgets nothing, and so does a daemon that was killed.
    processes = {int(m[1]): int(m[2]) for m in map(READY.search, scene.daemon.log.splitlines()) if m}
    begins_at = len(scene.daemon.lines)
    os.kill(processes[0], signal.SIGKILL)
    await asyncio.to_thread(scene.daemon.hear, re.compile("worker 0 is ready"), 30.0, begins_at)
    assert (await run(scene, "reload")).out == "reloaded\n"
    await scene.kill()
    await scene.start()
    facts = await until(scene, lambda facts: facts["links"]["carrier"]["queue"] == len(HANDSETS), "links")
    assert facts["links"]["carrier"]["is_paused"] is True
    assert len(scene.smsc.ledger.submits) == 0
    again = await scene.esme()
    assert (await run(scene, "links", "resume", "carrier")).code == 0
    await again.wait_for(lambda: len(again.ledger.receipts) == len(HANDSETS), WAIT_S)
    assert (await run(scene, "links", "pause", "nolink")).code == 1


async def test_a_link_is_drained_and_connected_anew(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    before = scene.smsc.binds()
    assert (await ask(scene, "links", "reconnect", "carrier"))["silent"] == []
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.binds()) == 1 and scene.smsc.binds() != before, WAIT_S)
    await scene.send(esme, HANDSETS[0], "hello")
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 1, WAIT_S)
    scene.smsc.script.tell(Rule(delay_s=0.5, times=1))
    await scene.send(esme, HANDSETS[1], "slow")
    drained = await ask(scene, "links", "drain", "carrier", "--timeout", "20")
    assert drained == {"link": "carrier", "unanswered": 0, "silent": []}


async def test_messages_are_held_released_cancelled_and_routed_anew(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    await run(scene, "links", "pause", "carrier")
    ids = await send_all(scene, esme)
    waiting = await ask(scene, "queue", "list")
    assert sorted(row["id"] for row in waiting["rows"]) == sorted(ids)
    assert {row["stage"] for row in waiting["rows"]} == {"queued"}
    assert all(re.fullmatch(r"\+?3362\*+\d\d#[0-9a-f]{6}", row["handset"]) for row in waiting["rows"])
    table = await run(scene, "queue", "list", "--limit", "3")
    assert len(re.findall(r"^\w+ +shop +3362\*+", table.out, re.MULTILINE)) == 3
    assert "(the first 3; --limit shows more)" in table.err
    assert (await run(scene, "queue", "hold", "--account", "shop")).out == "8 messages held\n"
    assert (await ask(scene, "links"))["links"]["carrier"]["queue"] == 0
    assert (await run(scene, "queue", "hold", ids[0])).code == 1
    assert await ask(scene, "queue", "cancel", ids[0]) == {"changed": 1, "under_way": 0, "too_late": 0, "silent": []}
    assert await scene.final(esme, ids[0]) == "DELETED"
    assert (await run(scene, "queue", "cancel", "--link", "carrier", text="n\n")).code == 2
    assert (await ask(scene, "queue", "release", ids[1]))["changed"] == 1
    assert (await ask(scene, "queue", "requeue", ids[2]))["changed"] == 1
    stages = {row["id"]: row["stage"] for row in (await ask(scene, "queue", "list"))["rows"]}
    assert [stages.get(one) for one in ids] == [None, "queued", "queued", *["held"] * 5]
    # Held over a restart, too.
    await scene.terminate()
    await scene.start()
    esme = await scene.esme()
    assert len((await ask(scene, "queue", "list", "--stage", "held"))["rows"]) == 5
    await run(scene, "links", "resume", "carrier")
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 2, WAIT_S)
    assert (await run(scene, "queue", "release", "--all")).out == "5 messages released\n"
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 7, WAIT_S)
    assert (await run(scene, "queue", "cancel", "00")).code == 1
    assert (await run(scene, "queue", "cancel", "xyz")).code == 2
    assert (await run(scene, "queue", "release")).code == 2


async def test_an_rcs_message_is_taken_back(stage: Stage) -> None:
    scene = await stage({"daemon": {"workers": 2}})
    esme = await scene.esme()
    scene.tell_handsets(rcs.Rule(delivery="never"))
    message_id = await scene.send(esme, "+33610000001", "hello")
    await until(scene, lambda found: [row["stage"] for row in found["rows"]] == ["sent"], "queue", "list", "--all")
    assert (await ask(scene, "queue", "cancel", message_id))["changed"] == 1
    assert await scene.final(esme, message_id) == "DELETED"
    assert len(scene.smsc.ledger.submits) == 0


async def test_what_is_owed_is_listed_offered_again_and_dropped(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme(mode="transmitter")
    await scene.carrier_is_bound()
    ids = await send_all(scene, esme)
    await until(scene, lambda found: found["accounts"]["shop"]["depth"] == len(ids), "outbox")
    assert re.search(r"^shop +1 +8 +1,000,000", (await run(scene, "outbox")).out, re.MULTILINE)
    rows = (await ask(scene, "outbox", "list", "shop"))["rows"]
    assert sorted(row["message"] for row in rows) == sorted(ids)
    assert {(row["kind"], row["state"], row["attempts"]) for row in rows} == {("receipt", "DELIVRD", 0)}
    assert len(re.findall(r"^\w+ +shop +receipt", (await run(scene, "outbox", "list")).out, re.MULTILINE)) == len(ids)
    assert (await ask(scene, "outbox", "list", "--older", "1h"))["rows"] == []
    refusing = scene.stranger()
    refusing.deliver_status = 0x64  # ESME_RX_T_APPN: not now
    await refusing.connect("127.0.0.1", scene.north.port)
    await refusing.wait_for(lambda: refusing.ledger.counts["deliveries refused"] >= len(ids), WAIT_S)
    # A command may take longer than the first wait for another try; the next ones are longer.
    await until(scene, lambda done: done["offered"] > 0, "outbox", "replay", "shop")
    refusing.deliver_status = 0
    await ask(scene, "outbox", "replay", "shop")
    await refusing.wait_for(lambda: len(refusing.ledger.receipts) == len(ids), WAIT_S)
    await refusing.unbind()
    more = await send_all(scene, esme)
    await until(scene, lambda found: found["accounts"]["shop"]["depth"] == len(more), "outbox")
    assert (await run(scene, "outbox", "drop", "shop", text="n\n")).code == 2
    assert await ask(scene, "outbox", "drop", "shop", "--yes") == {"dropped": len(more), "silent": []}
    assert (await ask(scene, "outbox"))["accounts"]["shop"]["depth"] == 0
    assert (await run(scene, "outbox", "drop", "shop", "--yes")).code == 1
    assert (await run(scene, "outbox", "replay", "nobody")).code == 1
    assert (await run(scene, "outbox", "list", "--older", "soon")).code == 2


async def test_sessions_of_a_number_and_of_an_account(stage: Stage) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    await send_all(scene, esme)
    found = await until(scene, lambda found: len(found["rows"]) == len(HANDSETS), "sessions")
    assert {row["account"] for row in found["rows"]} == {"shop"}
    assert not any(HANDSETS[0][1:] in value for row in found["rows"] for value in map(str, row.values()))
    (one,) = (await ask(scene, "sessions", HANDSETS[3]))["rows"]
    assert one["handset"].startswith("3362*****03#")
    assert (await ask(scene, "sessions", "--account", "bank"))["rows"] == []
    table = await run(scene, "sessions", "--limit", "2")
    assert len(re.findall(r"^\w+ +shop +3370\*+", table.out, re.MULTILINE)) >= 2
    assert (await run(scene, "sessions", "--reveal")).code == 4
    assert (await run(scene, "sessions", "shop")).code == 2


async def test_whole_numbers_where_the_configuration_allows_it(stage: Stage) -> None:
    scene = await stage({**TWO, "log": {"reveal": True}})
    esme = await scene.esme()
    await run(scene, "links", "pause", "carrier")
    await scene.send(esme, HANDSETS[0], "hello")
    (row,) = (await ask(scene, "queue", "list", "--reveal"))["rows"]
    assert row["handset"] == HANDSETS[0][1:]
    assert HANDSETS[0][1:] not in scene.daemon.log


async def test_a_reload_says_what_is_wrong(stage: Stage) -> None:
    scene = await stage(TWO)
    assert await ask(scene, "reload") == {"reloaded": True}
    sound = scene.daemon.config.read_text()
    scene.daemon.config.write_text(sound.replace("[daemon]", "[daemon]\nworkerz = 2"))
    done = await run(scene, "reload")
    assert done.code == 1
    assert "not reloaded, 1 fault: " in done.err
    scene.daemon.config.write_text(sound)
    assert (await ask(scene, "status"))["reload_trouble"] != ""
    assert (await run(scene, "reload")).code == 0


async def test_a_worker_that_is_killed_or_stopped_while_it_is_asked(stage: Stage) -> None:
    scene = await stage({**TWO, "daemon": {"workers": 2, "worker_silence_s": 20}})
    esme = await scene.esme()
    await run(scene, "links", "pause", "carrier")
    await send_all(scene, esme)
    (stopped, _) = [worker["pid"] for worker in (await ask(scene, "status"))["workers"]]
    os.kill(stopped, signal.SIGSTOP)
    asking = [spawn(run(scene, "queue", "list", "--json"), name="asking") for _ in range(2)]
    done = await asking[0]
    assert done.code == 5
    assert "no answer from worker 0: what is theirs is missing here" in done.err
    assert 0 < len(done.json["rows"]) < len(HANDSETS)
    await asking[1]
    table = await run(scene, "status")
    assert (table.code, "does not answer" in table.out) == (5, True)
    asked = spawn(run(scene, "queue", "list", "--json"), name="asking")
    os.kill(stopped, signal.SIGKILL)
    assert (await asked).code in (0, 5)
    found = await until(scene, lambda found: len(found["rows"]) == len(HANDSETS), "queue", "list")
    assert found["silent"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_who_may_not_ask_is_told_so(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(TWO)
    path = tmp_path / "run" / SOCKET_NAME
    # What a user who may not read Python's own files needs is imported before: the interpreter may lie anywhere.
    program = (
        "import os, pathlib, sys; from gatewayd.control import client; client.msgspec.json.decode(b'{}', type=dict); "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: client.Client(pathlib.Path(sys.argv[1])).ask('status')\n"
        "except client.Denied as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(path)]

    def as_nobody() -> subprocess.CompletedProcess[str]:
        for folder in (path.parent, *path.parents):
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(folder.stat().st_mode | 0o005)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    done = Done(await asyncio.to_thread(as_nobody))
    assert "is closed to this user" in done.out
    path.chmod(0o666)
    done = Done(await asyncio.to_thread(as_nobody))
    assert done.out == "nobody may not ask this daemon: root, its own user may (control.group)\n"
    assert (await ask(scene, "status"))["control"]["refused"] == 1


async def test_a_daemon_that_is_away_has_a_code_of_its_own(stage: Stage) -> None:
    scene = await stage(TWO)
    assert (await ask(scene, "drain")) == {"ended": True}
    for words in (
        ["status"],
        ["queue", "list"],
        ["links", "pause", "carrier"],
        ["reload"],
        ["drain"],
        ["backup", "/nowhere"],
    ):
        done = await run(scene, *words)
        assert done.code == 3
        assert "the daemon is not running" in done.err
    await scene.terminate()
    await scene.start()


async def test_a_backup_under_load_is_restored(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()
    await scene.carrier_is_bound()
    await run(scene, "links", "pause", "carrier")
    kept = await send_all(scene, esme)
    folder = tmp_path / "backup"
    load = [esme.send("33700000001", f"+3362{number:07}", "load") for number in range(500)]
    made = await ask(scene, "backup", str(folder))
    assert [spool["name"] for spool in made["spools"]] == ["worker-0.spool", "worker-1.spool"]
    await esme.wait_answered()
    assert all(submitted.status == 0 for of_one in load for submitted in of_one)
    assert (await run(scene, "backup", str(folder))).code == 1
    assert (await run(scene, "restore", str(folder), "--yes")).code == 2  # it runs
    await run(scene, "queue", "cancel", "--all", "--yes")
    assert (await ask(scene, "queue", "list"))["rows"] == []
    await scene.terminate()
    spool = folder / "worker-1.spool"
    sound = spool.read_bytes()
    spool.write_bytes(sound[:-4096] + bytes(4096))
    assert (await run(scene, "restore", str(folder), "--yes")).code == 1
    spool.write_bytes(sound)
    assert (await run(scene, "restore", str(folder), text="n\n")).code == 2
    restored = await ask(scene, "restore", str(folder), "--yes")
    assert Path(restored["kept"]).joinpath("worker-0.spool").exists()
    await scene.start()
    found = {row["id"] for row in (await ask(scene, "queue", "list", "--limit", "1000"))["rows"]}
    assert set(kept) <= found
    again = await scene.esme()
    await run(scene, "links", "resume", "carrier")
    await again.wait_for(lambda: {receipt.message_id for receipt in again.ledger.receipts} >= found, WAIT_S)


async def test_a_file_is_sent_and_gone_on_with(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(TWO)
    esme = await scene.esme()  # the application, which must not be robbed of what is its own
    await scene.carrier_is_bound()
    rows, state, report = tmp_path / "rows.csv", tmp_path / "state", tmp_path / "report.csv"
    long = "x" * 400
    rows.write_text(
        "to,text\n" + "".join(f"+3362000{number:04},{'héllo €' if number else long}\n" for number in range(40))
    )
    secret = secret_file(tmp_path / "password", PASSWORD)
    options = ["--account", "shop", "--from", "33700000001", "--password-file", secret]
    host, port = scene.daemon.smpp[0]
    options += ["--connect", f"{host}:{port}"]
    done = await ask(scene, "send", "--file", str(rows), *options, "--state", str(state), "--report", str(report))
    assert done == {"answers": {"accepted": 40}, "receipts": {"none yet": 40}, "failure": ""}
    again = await run(scene, "send", "--file", str(rows), *options, "--state", str(state))
    assert again.code == 0
    assert "going on: 40 of 40 were sent before" in again.err
    assert re.search(r"answers +accepted +40", again.out)
    lines = report.read_text().splitlines()
    assert len(lines) == 41
    assert lines[1].startswith("1,+33620000000,accepted,")
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.submits) >= 42, WAIT_S)
    assert len(esme.ledger.receipts) == 0
    await esme.unbind()
    one = await ask(scene, "send", "+33620001111", "hello", *options, "--wait", "20")
    assert one["receipts"] == {"DELIVRD": 1}
    assert (await run(scene, "send", "+33620001111", "x", *options[:-1], "127.0.0.1:1")).code == 3
    assert (await run(scene, "send", "--file", str(tmp_path / "no.csv"), *options)).code == 2
