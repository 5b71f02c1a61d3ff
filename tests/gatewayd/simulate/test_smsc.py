"""Each way in which the simulated carrier can misbehave, seen from the wire, and its command line."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest

from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.esme import Esme
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits

HANDSET = "33612345678"
ROOT = Path(__file__).resolve().parents[3]


class Pair:
    """A carrier and a sender that is bound to it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.smsc = Smsc(behaviour)
        self.esme = Esme("shop", "secret", limits=Limits(response_timeout_s=5.0))

    async def __aenter__(self) -> Self:
        await self.smsc.start()
        await self.esme.connect("127.0.0.1", self.smsc.port)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.esme.abort()
        await self.smsc.stop()


def following(*rules: Rule, **words: str | float | bool) -> Pair:
    return Pair(Behaviour(rules=rules, **words))  # type: ignore[arg-type]


async def test_a_refusal_has_the_status_that_was_told() -> None:
    async with following(Rule(answer="refuse", status="0x00000444")) as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_answered()
        assert (submit.status, submit.message_id) == (0x444, "")
        assert pair.smsc.ledger.counts["refused"] == 1


async def test_throttling_ends_after_its_times() -> None:
    async with following(Rule(answer="throttle", times=2)) as pair:
        for _ in range(3):
            pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_answered()
        assert [submit.status for submit in pair.esme.ledger.submits] == [0x58, 0x58, 0]
        assert [submit.status for submit in pair.smsc.ledger.accepted()] == [0]


async def test_silence_is_not_broken_by_the_next_message() -> None:
    async with following(Rule(answer="silent", times=1)) as pair:
        first, second = (pair.esme.send("Shop", HANDSET, "Hello")[0] for _ in range(2))
        await pair.esme.wait_for(lambda: second.status == 0)
        assert first.status is None
        assert len(pair.smsc.ledger.submits) == 2


async def test_a_receipt_may_follow_a_message_that_was_never_answered() -> None:
    async with following(Rule(answer="silent")) as pair:
        pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.receipts) == 1)
        assert pair.esme.ledger.receipts[0].message_id == pair.smsc.ledger.submits[0].message_id


async def test_a_late_answer_is_overtaken() -> None:
    async with following(Rule(delay_s=0.02, times=1)) as pair:
        first, second = (pair.esme.send("Shop", HANDSET, "Hello")[0] for _ in range(2))
        await pair.esme.wait_for(lambda: second.status == 0)
        assert first.status is None
        await pair.esme.wait_answered()
        assert first.latency_s > second.latency_s


async def test_a_receipt_can_come_before_the_response() -> None:
    async with following(Rule(receipt="before", delay_s=0.01)) as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.receipts) == 1)
        assert submit.status is None
        await pair.esme.wait_answered()
        assert submit.message_id == pair.esme.ledger.receipts[0].message_id


async def test_half_a_response_ends_the_connection() -> None:
    async with following(Rule(answer="half")) as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_answered()
        assert (submit.status, submit.lost) == (None, "lost")
        assert pair.smsc.binds() == []


async def test_a_connection_can_end_without_an_answer() -> None:
    async with following(Rule(answer="close")) as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_answered()
        assert submit.lost == "lost"


async def test_an_answer_under_a_wrong_number_answers_nothing() -> None:
    async with following(Rule(answer="wrong_sequence")) as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello", registered_delivery=0)
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.faults) == 1)
        assert pair.esme.ledger.faults[0][0] == "unexpected_response"
        assert submit.status is None


async def test_receipts_can_come_twice() -> None:
    async with following(Rule(receipt_copies=2)) as pair:
        pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.receipts) == 2)
        assert len({receipt.message_id for receipt in pair.esme.ledger.receipts}) == 1


async def test_receipts_can_name_a_message_in_another_base() -> None:
    async with following(message_ids="hex/decimal") as pair:
        (submit,) = pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.receipts) == 1)
        assert submit.message_id == "00a00001"
        assert pair.esme.ledger.receipts[0].message_id == str(int(submit.message_id, 16))


async def test_receipts_can_have_another_dialect_and_no_tlvs() -> None:
    async with following(receipt_text="{id} {state}", receipt_tlvs=False) as pair:
        pair.esme.send("Shop", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.receipts) == 1)
        (receipt,) = pair.esme.ledger.receipts
        assert (receipt.pdu.short_message, receipt.pdu.tlvs) == (b"10485761 DELIVRD", ())
        assert receipt.faults == ("text is not appendix B",)


async def test_a_handset_can_reply() -> None:
    async with following(Rule(reply="Merci ! 👍")) as pair:
        pair.esme.send("36105", HANDSET, "Hello")
        await pair.esme.wait_for(lambda: len(pair.esme.ledger.texts) == 1)
        (text,) = pair.esme.ledger.texts
        assert (text.source, text.destination, text.text) == (HANDSET, "36105", "Merci ! 👍")


async def test_a_delivery_that_is_always_refused_is_given_up() -> None:
    async with following(redeliver_s=0.0, redeliveries_max=2) as pair:
        pair.esme.deliver_status = 0x65
        (delivery,) = pair.smsc.send_mo(HANDSET, "36105", "STOP")
        await pair.smsc.ledger.wait_for(lambda: pair.smsc.ledger.counts["undelivered"] == 3)
        assert (delivery.tries, delivery.status) == (3, 0x65)
        assert len(pair.smsc.schedule) == len(pair.smsc.outbox) == 0


@pytest.fixture
async def command(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """`run_command` of the carrier in a process of its own, with its port."""
    rules = tmp_path / "rules.toml"
    rules.write_text(f'[[rules]]\ndestination = "{HANDSET}"\nreply = "Merci"\n')
    code = (
        "from pathlib import Path; from gatewayd.simulate.smsc import run_command;"
        f"run_command('127.0.0.1:0', Path({str(rules)!r}), 'carrier', 'secret', 'HEX', 0.0)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={"COLUMNS": "80"}
    )
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode()
    assert ready.startswith("smsc listening on 127.0.0.1:")
    yield process, int(ready.rpartition(":")[2])
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_the_commands_serve_and_report(command: tuple[asyncio.subprocess.Process, int], tmp_path: Path) -> None:
    carrier, port = command
    (tmp_path / "password").write_text("secret\n")
    code = (
        "from pathlib import Path; from gatewayd.simulate.esme import run_command;"
        f"run_command('127.0.0.1:{port}', 'shop', Path({str(tmp_path / 'password')!r}), 'Shop', ['{HANDSET}'], 'Hello',"
        " 2, 0.0, 5.0)"
    )
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={"COLUMNS": "120"}
    )
    said = (await sender.communicate())[0].decode()
    assert sender.returncode == 0
    assert said.startswith(f"esme bound to 127.0.0.1:{port}\n")
    assert said.count("ESME_ROK") == said.count("DELIVRD 000") == 2
    assert "00A00001" in said
    carrier.send_signal(signal.SIGTERM)
    reported = (await carrier.communicate())[0].decode()
    assert carrier.returncode == 0
    assert "binds accepted" in reported
