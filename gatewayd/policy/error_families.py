"""What carriers' and platforms' many error codes come down to: a few families, as a table.

Pure: knows codes as words, not the formats that they come in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

FAMILIES: Final = MappingProxyType(
    {
        "unreachable": "the number is none, not theirs, or cannot take this channel",
        "sender": "the sender's address is not allowed",
        "content": "the text or its form is not taken",
        "throttled": "too fast, or a quota is used up",
        "access": "credentials, rights, or a bind that does not stand",
        "carrier": "the carrier or platform is unwell: system error, 5xx",
        "connection": "there was no connection, or it broke before anything was sent",
        "no_answer": "sent, and no answer came",
        "other": "any other code, of the carrier's own making",
    }
)
"""Each family with its meaning."""

_WORDS: Final = MappingProxyType(
    {
        "unreachable": "ESME_RINVDSTADR ESME_RINVDSTTON ESME_RINVDSTNPI ESME_RINVNUMDESTS ESME_RINVDLNAME"
        " ESME_RINVDSTADDRSUBUNIT http_404"
        " bad_contact 404",
        "sender": "ESME_RINVSRCADR ESME_RINVSRCTON ESME_RINVSRCNPI ESME_RINVSRCADDRSUBUNIT",
        "content": "ESME_RINVMSGLEN ESME_RINVESMCLASS ESME_RINVDCS ESME_RINVEXPIRY ESME_RINVSCHED ESME_RINVSERTYP"
        " ESME_RINVREGDLVFLG ESME_RINVPRTFLG ESME_RINVDFTMSGID ESME_RINVREPFLAG ESME_RINVOPTPARSTREAM"
        " ESME_RINVTLVSTREAM ESME_ROPTPARNOTALLWD ESME_RINVPARLEN ESME_RMISSINGOPTPARAM ESME_RINVOPTPARAMVAL"
        " ESME_RINVCMDLEN ESME_RINVCMDID ESME_RINVSRCADDRSUBUNIT ESME_RINVDSTADDRSUBUNIT"
        " generic_nack text_undecodable no_such_segment too_long too_large unsupported"
        " contradiction missing empty out_of_range bad_value too_many too_few http_400 http_413 http_415 http_422",
        "throttled": "ESME_RTHROTTLED ESME_RMSGQFUL http_429 no_credit window_full",
        "access": "ESME_RINVPASWD ESME_RINVSYSID ESME_RINVSYSTYP ESME_RBINDFAIL ESME_RALYBND ESME_RINVBNDSTS"
        " ESME_RPROHIBITED ESME_RSERTYPUNAUTH ESME_RSERTYPDENIED http_401 http_403 bad_key no_token token_refused",
        "carrier": "ESME_RSYSERR ESME_RX_T_APPN ESME_RX_P_APPN ESME_RX_R_APPN ESME_RSUBMITFAIL ESME_RDELIVERYFAILURE"
        " ESME_RUNKNOWNERR ESME_RQUERYFAIL ESME_RSERTYPUNAVAIL",
        "connection": "connect_failed connect_timeout closed link_down link_gone worker_lost",
        "no_answer": "timeout reset lost restart malformed nacked",
    }
)
_FAMILY_OF: Final = {word: family for family, words in _WORDS.items() for word in words.split()}


def family_of(error: str) -> str:
    """The family of an error, by its code or word; never more of them than ``FAMILIES`` has."""
    family = _FAMILY_OF.get(error)
    if family is not None:
        return family
    if error.startswith("http_5"):
        return "carrier"
    return "content" if error.startswith("http_4") else "other"
