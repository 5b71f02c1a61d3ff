"""docs/tlvs.md: every TLV of SMPP 3.4 and 5.0, from the table that parsing and ``gatewayd pdu`` use.

Knows how the page reads; what a TLV may hold is ``protocol.smpp.tlv_table``'s to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from made_page import keep

from protocol.smpp.tlv_table import DEFINITIONS, RANGES, Definition, Form, Piece

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "tlvs.md"

HEAD: Final = """\
# TLVs

The tables are made by `scripts/tlvs-page` from the one that `protocol.smpp` reads and writes by.

## What becomes of a TLV

Whatever an application sends with a message is kept with it, in order, known or not, and goes to the carrier with each
of its parts; whatever a carrier sends with a handset's message goes to the application. Only message_payload becomes
the text, qos_time_to_live of a data_sm its validity, and the three of SAR its place in a long message.

| key | says |
|---|---|
| `accounts.*.tlvs_pass` | which TLVs go on from an application's messages, and which of a reply's reach it |
| `links.*.tlvs_pass` | which go to a carrier with a message, and which are taken from its replies |
| `links.*.tlvs_rename` | which have another tag at that carrier: `{"0x1400" = "0x1501"}`, in both directions |
| `links.*.receipt_tlvs_pass` | which of a receipt's go on with ours (none at first), such as the network that took it |
| `accounts.*.tlvs_strict` | that a message with a TLV of a wrong size or value is refused |

Each of those that pass is a list of names, tags (`"0x1400"`), ranges (`"0x1400-0x14FF"`) or `"all"`, as it is at first;
`[]` lets none go on. A link's are about our tags, not the carrier's. message_payload, the three of SAR and the tags
0x1490 to 0x149F, in which the gateway itself is told things, are not asked.

At first the size of a TLV is nobody's business: applications have sent message ids without their NUL and references of
one octet for decades, and it passes what it does not need. With `tlvs_strict` a wrong size is answered with
ESME_RINVPARLEN, and a C-octet string without its NUL or a number out of its range with ESME_RINVOPTPARAMVAL
(3.4 section 5.1.3); they are counted as `tlv_size` and `tlv_value`. `gatewayd pdu` tells them always.

## By number

Sizes are octets of the value, the NUL of a C-octet string included. What stands in other PDUs than those listed is
taken all the same (3.4 section 3.3). Named values are those of the standard; others are taken too.

"""


def page() -> str:
    """The whole page."""
    lines = [
        "| tag | name | octets | type | since | 3.4 | 5.0 |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in _rows()),
        "",
        "## What values mean",
        "",
        *_meanings(),
        "",
        "## Where they stand",
        "",
        "| PDU | TLVs that the standards list for it |",
        "|---|---|",
        *_places(),
        "",
        "## Whose the tags are",
        "",
        "| tags | |",
        "|---|---|",
        *(f"| 0x{first:04X} to 0x{last:04X} | {words} |" for first, last, words in RANGES),
    ]
    return HEAD + "\n".join(lines) + "\n"


def _rows() -> list[Definition]:
    return [DEFINITIONS[tag] for tag in sorted(DEFINITIONS)]


def _line(row: Definition) -> str:
    sizes = str(row.size_min) if row.size_min == row.size_max else f"{row.size_min} to {row.size_max}"
    since = "5.0" if row.version == 0x50 else "3.4"
    return f"| 0x{row.tag:04X} | {row.name} | {sizes} | {row.form} | {since} | {row.section_3_4} | {row.section_5_0} |"


def _meanings() -> Iterator[str]:
    yield from ("| TLV | values |", "|---|---|")
    for row in _rows():
        said = [*_values(row)]
        if said:
            yield f"| {row.name} | {'; '.join(said)} |"


def _values(row: Definition) -> Iterator[str]:
    if row.words:
        yield _named(row.words)
    if row.value_min or row.value_max is not None:
        most = 256**row.size_max - 1 if row.value_max is None else row.value_max
        yield f"from {row.value_min} to {most}"
    if row.unit:
        yield f"in {'seconds' if row.unit == 's' else row.unit}"
    for piece in row.pieces:
        yield _piece(piece, row.form)


def _piece(piece: Piece, form: Form) -> str:
    if form is Form.BITS:
        where = f"bits 0x{piece.mask:02X}"
    else:
        where = f"{piece.size} octet{'s'[: piece.size > 1]}" if piece.size else "the rest"
    return f"{piece.name} ({where})" + (f": {_named(piece.words)}" if piece.words else "")


def _named(words: Mapping[int, str]) -> str:
    return ", ".join(f"{number} {word}" for number, word in words.items())


def _places() -> Iterator[str]:
    places = dict.fromkeys(place for row in _rows() for place in row.places)
    for place in places:
        yield f"| {place} | {', '.join(row.name for row in _rows() if place in row.places)} |"


if __name__ == "__main__":
    sys.exit(keep(PAGE, lambda _: page()))
