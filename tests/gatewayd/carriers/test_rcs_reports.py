"""Twin of gatewayd.carriers.rcs_reports."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.carriers.rcs_reports import Acknowledgement, contents_of, reports_of, settle_all
from gatewayd.message import Attachment, Encoding, Inbound, Linked, Receipt, State
from gatewayd.policy.aliases import address_of
from gatewayd.runtime.tasks import spawn
from protocol.rcs.content import Audio, File, Location, Text
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import (
    AliasEvent,
    Contact,
    Event,
    IgnoredEvent,
    MessageEvent,
    ResponseEvent,
    Status,
    StatusEvent,
)

HANDSET = Contact("+33612345678")


def only(event: Event) -> Receipt | Inbound:
    contents, ignored = contents_of([event], "bot-1")
    assert ignored == []
    (content,) = contents
    assert not isinstance(content, Linked)
    return content


@pytest.mark.parametrize(
    ("event", "receipt"),
    [
        (StatusEvent("m", Status.DELIVERED, 5.0), Receipt("m", State.DELIVRD, "000", 5.0)),
        (StatusEvent("m", Status.DISPLAYED, 5.0), Receipt("m", State.DELIVRD, "000", 5.0, displayed=True)),
        (StatusEvent("m", Status.FAILED, 5.0, "41200"), Receipt("m", State.UNDELIV, "41200", 5.0)),
        (StatusEvent("m", Status.FAILED, 0.0), Receipt("m", State.UNDELIV, "failed", 0.0)),
        (StatusEvent("m", Status.CANCELLED, 5.0), Receipt("m", State.DELETED, "000", 5.0)),
        (StatusEvent("m", Status.REVOKED, 5.0), Receipt("m", State.DELETED, "000", 5.0)),
    ],
)
def test_statuses_become_receipts(event: StatusEvent, receipt: Receipt) -> None:
    assert only(event) == receipt


def test_what_is_on_its_way_or_of_no_use_is_named_and_not_reported() -> None:
    events: list[Event] = [
        StatusEvent("m", Status.PENDING, 0.0),
        StatusEvent("m", Status.SENT, 0.0),
        IgnoredEvent("isTyping"),
    ]
    assert contents_of(events, "bot-1") == ([], ["status_pending", "status_sent", "isTyping"])


def test_a_text_in_the_default_alphabet() -> None:
    inbound = only(MessageEvent("u-1", HANDSET, Text("Où ?"), 0.0))
    assert inbound == Inbound(1, 1, "33612345678", 5, 0, "bot-1", b"O\x06 ?", Encoding.GSM, dedup_id="u-1")


def test_a_text_that_needs_more_is_ucs2() -> None:
    inbound = only(MessageEvent("u-1", HANDSET, Text("😀"), 0.0))
    assert isinstance(inbound, Inbound)
    assert (inbound.payload, inbound.encoding, inbound.data_coding) == ("😀".encode("utf-16-be"), Encoding.UCS2, 0)


def test_a_place_becomes_words() -> None:
    inbound = only(MessageEvent("u-1", HANDSET, Location(1.0, 2.0), 0.0))
    assert isinstance(inbound, Inbound)
    assert inbound.payload == b"geo:1.000000,2.000000"
    assert (inbound.place, inbound.attachment) == ("geo:1.000000,2.000000", None)


def test_a_place_has_its_name_in_the_words_alone() -> None:
    inbound = only(MessageEvent("u-1", HANDSET, Location(48.8566, 2.3522, "Paris"), 0.0))
    assert isinstance(inbound, Inbound)
    assert (inbound.payload, inbound.place) == (b"Paris geo:48.856600,2.352200", "geo:48.856600,2.352200")


@pytest.mark.parametrize(
    ("content", "attachment"),
    [
        (File("https://x/y", "a.pdf", "application/pdf", 42), Attachment("application/pdf", 42, "a.pdf")),
        (Audio("https://x/y", mime_type="audio/aac"), Attachment("audio/aac")),
        (File("https://x/y"), Attachment()),
    ],
)
@pytest.mark.parametrize("contact", [HANDSET, Contact("", "tok-1")])
def test_a_file_becomes_its_address_and_what_is_known_of_it(
    content: File | Audio, attachment: Attachment, contact: Contact
) -> None:
    inbound = only(MessageEvent("u-1", contact, content, 0.0))
    assert isinstance(inbound, Inbound)
    assert (inbound.payload, inbound.attachment, inbound.place) == (b"https://x/y", attachment, "")
    assert inbound.alias == contact.alias


def test_a_tapped_suggestion_is_its_words_and_its_postback() -> None:
    inbound = only(ResponseEvent("u-1", HANDSET, "OK", "ack:42", 0.0))
    assert isinstance(inbound, Inbound)
    assert (inbound.payload, inbound.postback, inbound.dedup_id) == (b"OK", "ack:42", "u-1")


@pytest.mark.parametrize("number", ["tel:+33612345678", "33612345678", "+33612345678"])
def test_a_handset_is_its_digits(number: str) -> None:
    inbound = only(MessageEvent("u-1", Contact(number), Text("x"), 0.0))
    assert isinstance(inbound, Inbound)
    assert inbound.source == "33612345678"


@pytest.mark.parametrize(
    ("contact", "kind"),
    [
        (Contact("", "x" * 256), "bad_contact"),
        (Contact(), "bad_contact"),
        (Contact("+33 6"), "bad_contact"),
        (Contact("sip:x@y"), "bad_contact"),
        (Contact("+" + "1" * 16), "bad_contact"),
        (Contact("+٣٣"), "bad_contact"),
    ],
)
def test_a_contact_that_cannot_be_answered_is_a_fault(contact: Contact, kind: str) -> None:
    with pytest.raises(RcsFault) as caught:
        contents_of([MessageEvent("u-1", contact, Text("x"), 0.0)], "bot-1")
    assert caught.value.kind == kind


def test_two_addresses_of_one_user_are_told_to_the_homes_of_both() -> None:
    contents, ignored = contents_of([AliasEvent(Contact("tel:+33612345678", "tok-1"))], "bot-1")
    pseudonym = address_of("bot-1", "tok-1")
    assert contents == [
        Linked("33612345678", "bot-1", "tok-1", "33612345678", to_number=False),
        Linked(pseudonym, "bot-1", "tok-1", "33612345678", to_number=True),
    ]
    assert ignored == []


def reports(count: int) -> tuple[Acknowledgement, list[object]]:
    acknowledgement = Acknowledgement(count)
    contents: list[Receipt | Inbound | Linked] = [Receipt("m", State.DELIVRD)] * count
    return acknowledgement, [report.token for report in reports_of(contents, acknowledgement)]


async def test_a_request_is_stored_when_all_its_reports_are() -> None:
    acknowledgement, tokens = reports(2)
    waiter = spawn(acknowledgement.wait(5), name="waiter")
    settle_all(tokens[:1], stored=True)
    await asyncio.sleep(0)
    assert not waiter.done()
    settle_all(tokens[1:], stored=True)
    assert await waiter is True


async def test_one_report_refused_refuses_the_request() -> None:
    acknowledgement, tokens = reports(2)
    settle_all(tokens[:1], stored=False)
    settle_all(tokens[1:], stored=True)
    assert await acknowledgement.wait(5) is False


async def test_a_request_without_reports_is_stored() -> None:
    assert await Acknowledgement(0).wait(0) is True


async def test_what_is_stored_too_late_was_not_stored() -> None:
    acknowledgement, tokens = reports(1)
    assert await acknowledgement.wait(0) is False
    settle_all(tokens, stored=True)


async def test_tokens_of_others_are_passed_over() -> None:
    settle_all([object(), None], stored=True)
