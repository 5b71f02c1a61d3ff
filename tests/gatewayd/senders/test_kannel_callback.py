"""Escape codes of Kannel's callbacks."""

from __future__ import annotations

import pytest

from gatewayd.message import State
from gatewayd.policy.callbacks import ACCEPTED, DELIVERED, FAILED, REFUSED, Call, Callback
from gatewayd.senders.kannel_callback import address
from gatewayd.senders.product_ids import uuid_of
from gatewayd.store.records import Delivery

AT = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def filled(
    template: str, event: int = DELIVERED, state: State = State.DELIVRD, error: str = "000", to: str = ""
) -> str:
    delivery = Delivery(
        7, "shop", "receipt", 1, 1, "33600000001", 5, 0, "MY SHOP", AT, AT + 9,
        message_id=5, state=state, error=error, submitted_at=AT - 60, done_at=AT,
    )  # fmt: skip
    url = f"http://app.example/{template}"
    call = Call(Callback("kannel", url, 31, to=to), event, "carrier", "" if event == REFUSED else "c1 7")
    return address(delivery, call).removeprefix("http://app.example/")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("?d=%d&c=%c&m=%m", "?d=1&c=-1&m=-1"),
        ("?p=%p&P=%P", "?p=33600000001&P=MY+SHOP"),
        ("?t=%t&T=%T", "?t=2026-01-01+00:00:00&T=1767225600"),
        ("?i=%i&n=%n&F=%F&C=%C", "?i=carrier&n=shop&F=c1+7&C=UTF-8"),
        ("?I=%I", f"?I={uuid_of(5)}"),
        ("?u=%u&o=%o&B=%B&g=%#smpp#x#", "?u=&o=&B=&g="),
        ("?z=%z&p=%%&end=%", "?z=%z&p=%&end=%"),
        ("?k=%k&s=%s", "?k=id%3Ac1&s=7"),
        ("?x=é y", "?x=%C3%A9%20y"),
        ("?b=2&a=1&a=0", "?b=2&a=1&a=0"),
    ],
)
def test_codes(template: str, result: str) -> None:
    assert filled(template) == result


def test_a_number_comes_back_as_it_was_written() -> None:
    assert filled("%p", to="+33600000001") == "%2B33600000001"
    assert filled("%q", to="0033600000001") == "%2B33600000001"


@pytest.mark.parametrize(
    ("event", "state", "error", "said"),
    [
        (ACCEPTED, State.ACCEPTD, "000", "ACK%2F"),
        (REFUSED, State.UNDELIV, "ESME_RINVDSTADR", "NACK%2F0x0000000b%2FESME_RINVDSTADR"),
        (REFUSED, State.EXPIRED, "expired", "NACK%2Fvalidity+expired"),
        (REFUSED, State.UNDELIV, "no_link", "NACK%2Fno_link"),
    ],
)
def test_what_the_carrier_said(event: int, state: State, error: str, said: str) -> None:
    assert filled("%A", event, state, error) == said


def test_a_receipt_s_text_bears_the_carrier_s_id() -> None:
    dates = "submit+date%3A2512312359+done+date%3A2601010000"
    text = f"id%3Ac1+7+sub%3A001+dlvrd%3A000+{dates}+stat%3AUNDELIV+err%3A042+text%3A"
    assert filled("%b", FAILED, State.UNDELIV, "042") == text
