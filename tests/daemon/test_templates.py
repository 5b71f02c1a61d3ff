"""A sender that knows only submit_sm: its texts become cards and buttons over RCS, and stay themselves as SMS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.records import SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33610000001"
SHIPPED = Path(__file__).parents[2] / "conf" / "templates"
PARCEL = "Your parcel AB123456789FR is on its way: https://t.example/AB1. STOP au 36111"


def wishes(folder: Path) -> dict[str, Any]:
    shutil.copytree(SHIPPED, folder / "templates")
    return {"rcs": {"templates_dir": str(folder / "templates")}}


def sent(scene: Scene) -> list[dict[str, Any]]:
    """What the platform took, as it was written, without what is ours."""
    messages = [record.submission.message for record in scene.platform.ledger.to(HANDSET)]
    return [{key: value for key, value in message.items() if key != "expiry"} for message in messages]


async def test_a_text_becomes_a_card(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, PARCEL)
    assert await scene.final(esme, message_id) == "DELIVRD"
    (message,) = sent(scene)
    card = message["richcardMessage"]["message"]["generalPurposeCard"]["content"]
    assert card["title"] == "Parcel AB123456789FR"
    assert card["description"] == "Your parcel AB123456789FR is on its way. STOP au 36111"
    (button,) = card["suggestions"]
    assert button["action"]["urlAction"] == {"openUrl": {"url": "https://t.example/AB1"}}
    (chip,) = message["suggestedChipList"]["suggestions"]
    assert chip["reply"]["displayText"] == "STOP"


async def test_the_same_text_goes_as_sms_where_there_is_no_rcs(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path))
    scene.tell_handsets(Rule(capable=False))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, PARCEL)
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert [submit.pdu.short_message for submit in scene.smsc.ledger.submits] == [PARCEL.encode()]


async def test_a_tap_comes_back_as_a_text(stage: Stage, tmp_path: Path) -> None:
    scene = await stage(wishes(tmp_path))
    scene.tell_handsets(Rule(reply_text="YES"))
    esme = await scene.esme()
    await scene.send(esme, HANDSET, "Monday at 10:00? Reply YES or NO")
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    (message,) = sent(scene)
    chips = message["suggestedChipList"]["suggestions"]
    assert [chip["reply"]["displayText"] for chip in chips] == ["YES", "NO"]
    assert [text.text for text in esme.ledger.texts] == ["YES"]


async def test_what_does_not_fit_goes_as_text_and_is_counted(stage: Stage, tmp_path: Path) -> None:
    tables = wishes(tmp_path)
    match = '[match]\ntlv = { tag = 0x1400, value = "card" }\n'
    card = '[content]\ntype = "rich_card"\n[content.card]\ntitle = "{text}"\n'
    (tmp_path / "templates" / "05-title.toml").write_text(match + card)
    scene = await stage(tables)
    esme = await scene.esme()
    for text in (b"Hello", b"x" * 201):
        pdu = SubmitSm(
            source_addr="33700000001",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=HANDSET.removeprefix("+"),
            short_message=text,
            tlvs=((0x1400, b"card"),),
        )
        submitted = esme.submit(pdu)
        await esme.wait_for(lambda submitted=submitted: submitted.status is not None)  # type: ignore[misc]
        assert submitted.status == 0
    await scene.platform.ledger.wait_for(lambda ledger: len(ledger.to(HANDSET)) == 2, WAIT_S)
    assert sorted(key for message in sent(scene) for key in message) == ["richcardMessage", "textMessage"]
    samples = await scene.samples()
    assert samples.value("gatewayd_faults_total", side="carrier", kind="template_too_long") == 1
