"""The national language tables, octet by octet against the reading that they began as, and rows of Annex A."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from gsmcodecs.charmaps import GSMCHARMAPS

from protocol.smpp.national import LANGUAGES, locking_table, single_table

# Where that table cannot be right, by (language, kind): the annex has a comma at 0x2C of the Indian languages,
# Kannada's DDA would be missing while PA stood twice, and Telugu's euro sign is where all other languages have it.
THEIRS = {(language, "locking"): {0x2C: 0x27} for language in LANGUAGES[4:]}
THEIRS["kannada", "locking"] = {0x2C: 0x27, 0x24: 0x0CAA}
OURS_ALONE = {("telugu", "singleShift"): {0x65}}


@pytest.mark.parametrize("identifier", range(1, 14))
@pytest.mark.parametrize("kind", ["locking", "singleShift"])
def test_tables_are_those_of_another_reading_of_the_annex(identifier: int, kind: str) -> None:
    table = (locking_table if kind == "locking" else single_table)(identifier)
    known: Mapping[int, int] | None = GSMCHARMAPS[identifier].get(kind, {}).get("decode")
    assert (table is None) == (known is None)
    if table is None or known is None:
        return
    key = LANGUAGES[identifier], kind
    ours = {septet: ord(char) for septet, char in table.items() if septet not in OURS_ALONE.get(key, ())}
    theirs = {septet: char for septet, char in known.items() if septet != 0x1B}
    faults = THEIRS.get(key, {})
    assert {septet: char for septet, char in theirs.items() if ours.get(septet) != char} == faults
    assert set(ours) == set(theirs)


def test_rows_of_the_annex() -> None:
    turkish, hindi, urdu = locking_table(1), locking_table(6), locking_table(13)
    assert turkish is not None
    assert hindi is not None
    assert urdu is not None
    # A.3.1: the Turkish letters among those of the default alphabet.
    assert {septet: turkish[septet] for septet in (0x04, 0x07, 0x0B, 0x0C, 0x1C, 0x1D, 0x40, 0x60)} == {
        0x04: "€",
        0x07: "ı",
        0x0B: "Ğ",
        0x0C: "ğ",
        0x1C: "Ş",
        0x1D: "ş",
        0x40: "İ",
        0x60: "ç",
    }
    # A.3.6 and A.3.13: the Indian tables turn the brackets and keep the digits.
    for table in (hindi, urdu):
        assert (table[0x28], table[0x29], table[0x30], table[0x3F], table[0x61]) == (")", "(", "0", "?", "a")
    assert "".join(hindi[septet] for septet in range(0x03, 0x0A)) == "अआइईउऊऋ"
    assert locking_table(2) is None  # Spanish has a single shift table alone
    spanish = single_table(2)
    assert spanish is not None
    assert "".join(spanish[septet] for septet in (0x41, 0x49, 0x4F, 0x55, 0x61, 0x69, 0x6F, 0x75, 0x09)) == "ÁÍÓÚáíóúç"
    assert single_table(14) is None
    assert locking_table(0) is None
    assert LANGUAGES[13] == "urdu"
