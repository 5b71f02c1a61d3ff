"""What `protocol.smpp` makes of the same random input, a line for each thing asked: two builds of it must agree.

Run with a seed and a number of rounds, and the build in question first on the path.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

from protocol.smpp.connection import BindAsked, Connection, Limits, Role
from protocol.smpp.constants import Command, Status
from protocol.smpp.destinations import Destination, DestinationList, Unsuccess, UnsuccessList
from protocol.smpp.errors import SmppFault
from protocol.smpp.fields import CString, Octet, ShortMessage
from protocol.smpp.framing import Framer
from protocol.smpp.headers import parse_udh, shift_of
from protocol.smpp.layouts import LAYOUTS
from protocol.smpp.parts import body_of, concat_of, split
from protocol.smpp.pdu import Pdu, build, build_answer, build_submit_ok, parse
from protocol.smpp.receipt import is_receipt
from protocol.smpp.receipt import parse as parse_receipt
from protocol.smpp.receipt_ids import MODES, canonical_key, id_keys, spellings
from protocol.smpp.records import Bind, BindResp, Request, Response
from protocol.smpp.septets import pack, unpack
from protocol.smpp.shifts import best_shift
from protocol.smpp.text import best_encoding, data_coding_of, decode, encode, encoding_of
from protocol.smpp.times import parse_time
from protocol.smpp.tlvs import fault_of, read

ENCODINGS = ("gsm", "latin1", "ascii", "ucs2", "utf8", "binary", "cyrillic", "hebrew", "iso2022jp", "euckr", "klingon")
LETTERS = "aZ09 \r\n@£[]€^{}éЖעあ한😀\ud83d\x00"
RECEIPT = "id:00aF7 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hello"
LIMITS = Limits(
    session_init_timeout_s=10.0, enquire_interval_s=30.0, inactivity_timeout_s=90.0, response_timeout_s=20.0, window=3
)


def outcome(call: Callable[..., Any], *arguments: Any) -> str:
    """What comes back, or everything that a fault says; of any other exception, what it is."""
    try:
        return repr(call(*arguments))
    except SmppFault as fault:
        # Compiled code keeps a number that is said to be one, not which enumeration it came from.
        said = fault.kind, fault.status, int(fault.command), fault.sequence, fault.detail, fault.fatal
        return f"{type(fault).__name__} {fault} {said}"
    except Exception as fault:  # noqa: BLE001  whatever it is, both must raise it
        return type(fault).__name__


class Chance(random.Random):
    """Random octets, texts and PDUs, sound more often than not."""

    def octets(self, size_max: int) -> bytes:
        return self.randbytes(self.randint(0, size_max))

    def text(self, size_max: int, letters: str = LETTERS) -> str:
        return "".join(self.choices(letters, k=self.randint(0, size_max)))

    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        tags = (0x0204, 0x020C, 0x020E, 0x020F, 0x0424, 0x0427, 0x001E, 0x0423, 0x1400)
        return tuple((self.choice(tags), self.octets(6)) for _ in range(self.choice((0, 0, 1, 3))))

    def value(self, field: object) -> Any:
        is_odd = self.random() < 0.005
        if isinstance(field, Octet):
            return self.choice((-1, 256)) if is_odd else self.choice((0, 0, 1, 3, 8, self.randrange(256)))
        if isinstance(field, CString):
            return self.text(4, "€\0é") if is_odd else self.text(field.size_max - 1, "0123456789abé")
        if isinstance(field, ShortMessage):
            return self.octets(300 if is_odd else 160)
        if isinstance(field, DestinationList):
            one = Destination(1, 1, self.text(20, "0123456789")), Destination(list_name="friends")
            return tuple(self.choices(one, k=self.randint(0, 4)))
        if isinstance(field, UnsuccessList):
            return tuple(Unsuccess(1, 1, "3361", self.randrange(200)) for _ in range(self.randint(0, 3)))
        return self.tlvs()

    def pdu(self, kind: type = Pdu) -> Pdu:
        commands = [command for command, layout in LAYOUTS.items() if issubclass(layout.record, kind)]
        usual = [command for command in commands if command & 0x7FFFFFFF in (4, 5)] or commands
        command = self.choice(usual if self.random() < 0.5 else commands)
        layout = LAYOUTS[command]
        values: dict[str, Any] = {
            "sequence": self.choice((0, 1, 2, 3, 4, 5, 6, self.getrandbits(31), self.getrandbits(33)))
        }
        if issubclass(layout.record, Bind | BindResp):
            values["command"] = Command(command)
        if issubclass(layout.record, Response):
            values["status"] = self.choice((0, 0, 0x58, 0x4FF))
        return layout.record(**values, **{field.name: self.value(field) for field in layout.fields})

    def wire(self) -> bytes:
        """One PDU, in a third of the cases with something wrong in it."""
        try:
            data = bytearray(build(self.pdu()))
        except SmppFault:
            data = bytearray(b"\0" + self.octets(40))
        if self.random() < 0.3:
            for _ in range(self.randint(0, 3)):
                data[self.randrange(len(data))] = self.choice((0, 1, 0xFF, self.randrange(256)))
            data = data[: len(data) - self.choice((0, 0, 1, 2, 9))] + self.octets(3)
            if self.random() < 0.9:
                data[0:4] = len(data).to_bytes(4, "big")
        return bytes(data)


def of_pdus(chance: Chance) -> Iterator[str]:
    yield outcome(parse, chance.wire())
    yield outcome(build, chance.pdu())
    yield outcome(build_submit_ok, chance.getrandbits(31), chance.text(66, "0123456789abcdef"))
    yield outcome(build_answer, chance.choice(list(Command)), chance.getrandbits(31), Status.ESME_RTHROTTLED)
    framer, stream = Framer(400), b"".join(chance.wire() for _ in range(4))
    while stream:
        size = chance.randint(1, 120)
        yield outcome(framer.feed, stream[:size]) + str(framer.is_within_pdu)
        stream = stream[size:]


def of_texts(chance: Chance) -> Iterator[str]:
    text, octets, encoding = chance.text(30), chance.octets(40), chance.choice(ENCODINGS)
    shift = chance.choice(((0, 0), (0, 0), (1, 1), (3, 0), (0, 99)))
    yield outcome(encode, text, encoding, shift)
    yield outcome(decode, octets, encoding, chance.choice(("strict", "replace")), shift)
    yield outcome(encoding_of, chance.randrange(256), encoding) + outcome(data_coding_of, encoding, "gsm")
    yield outcome(best_encoding, text) + outcome(best_shift, text, (1, 2, 3))
    yield outcome(pack, bytes(each & 0x7F for each in octets), chance.randrange(7)) + outcome(unpack, octets, 0)
    yield outcome(split, octets * 9, encoding, chance.choice((10, 140)), chance.choice((0, 6)))
    body = bytes((5, 0, 3, 7, 2, 1)) + octets if chance.random() < 0.5 else octets
    yield outcome(concat_of, chance.choice((0, 0x40)), body, chance.tlvs()) + outcome(body_of, body, chance.tlvs())
    yield outcome(parse_udh, body[:6]) + outcome(shift_of, octets)
    yield outcome(parse_time, chance.text(17, "0123456789+-R"), 1_800_000_000.0, Status.ESME_RINVSCHED)
    yield "".join(outcome(fault_of, *tlv) + outcome(read, *tlv) for tlv in chance.tlvs())


def of_receipts(chance: Chance) -> Iterator[str]:
    text = list(RECEIPT)
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        text[chance.randrange(len(text))] = chance.choice("0aF:; -é")
    tlvs = chance.tlvs()
    yield outcome(parse_receipt, "".join(text).encode("latin-1"), tlvs) + outcome(
        is_receipt, chance.choice((0, 4, 8)), tlvs
    )
    name = chance.text(chance.choice((5, 17, 34)), chance.choice(("0123456789", "00123456789abcdef", "abAB09-_é")))
    yield "".join(outcome(call, name, mode) for call in (canonical_key, id_keys) for mode in MODES)
    yield outcome(spellings, name)


def of_connections(chance: Chance) -> Iterator[str]:
    """Two ends that mostly do what is right, over a wire that now and then changes an octet."""
    ends, now = [Connection(Role.ESME, LIMITS, 0.0), Connection(Role.SMSC, LIMITS, 0.0)], 0.0
    asked: list[list[Any]] = [[], []]
    command = chance.choice((Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER))
    yield outcome(ends[0].bind, Bind(command, "shop", "pw", "", chance.choice((0, 0x33, 0x34, 0x50))), now)
    for _ in range(40):
        side = chance.randrange(2)
        end, now = ends[side], now + chance.choice((0.0, 0.0, 0.0, 0.25, 1.0, 8.5))
        act = chance.choice(("carry", "carry", "carry", "answer", "answer", "request", "request", "tick", "other"))
        if act == "carry":
            data = ends[1 - side].data_to_send()
            if data and chance.random() < 0.02:
                data = data[:-1] + chance.octets(30)
            events: list[Any] = []
            said = outcome(lambda heard, end=end, data=data, now=now: heard.extend(end.receive(data, now)), events)
            asked[side] += [each for each in events if isinstance(each, BindAsked | Request)]
            said += repr(events)
        elif act == "answer" and asked[side]:
            said = _answered(chance, end, asked[side].pop(0), now)
        elif act == "request":
            said = outcome(end.request, chance.pdu(Request), now, chance.random())
        elif act == "tick":
            said = outcome(end.tick, now)
        else:
            call: Any = chance.choice((end.unbind, end.eof, end.close) if chance.random() < 0.1 else (end.tick,))
            said = outcome(call, "enough" if call == end.close else now)
        facts = end.state, end.window_used, end.window_free, end.owed, end.wants_close, end.next_deadline(), end.version
        yield f"{act} {said} {facts} {end.peer_version} {end.peer_congestion} {end.peer_system_id}"


def _answered(chance: Chance, end: Connection, event: Any, now: float) -> str:
    if isinstance(event, BindAsked):
        return outcome(end.accept_bind, event.pdu, "gateway", now)
    if chance.random() < 0.2:
        return outcome(end.refuse, event, Status.ESME_RTHROTTLED)
    if event.command == Command.SUBMIT_SM:
        return outcome(end.respond_submit, event.sequence, f"{event.sequence:x}")
    if event.command == Command.DELIVER_SM:
        return outcome(end.respond_deliver, event.sequence)
    return outcome(end.respond, chance.pdu(Response))


def main() -> None:
    """So many rounds of each kind."""
    chance = Chance(int(sys.argv[1]))
    for number in range(int(sys.argv[2])):
        for kind in (of_pdus, of_texts, of_receipts, of_connections):
            for said in kind(chance):
                sys.stdout.write(f"{number} {kind.__name__} {said}\n".encode("unicode_escape").decode() + "\n")


if __name__ == "__main__":
    main()
