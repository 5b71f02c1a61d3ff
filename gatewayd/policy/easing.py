"""How a link slows down when its carrier cannot follow: half as fast at once, and evenly faster again with time.

A share of 1 is the whole pace. ``at`` is the moment from which a share climbs; 0 is the state of a new link. Knows
neither what is paced nor where the state is kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SHARE_MIN: Final = 1 / 64
"""However often a carrier says that it is too much, something goes: else nobody would learn that it has recovered."""

NEARLY_FULL: Final = 90
FULL: Final = 100
"""Of congestion_state (SMPP 5.0 4.8.4.18): from 90 on a carrier nears its congestion, at 100 it has come to it."""


class Eased(NamedTuple):
    """The share that was left at a moment."""

    share: float
    at: float


def share_at(eased: Eased, climb_s: float, now: float) -> float:
    """The share now. From nothing to the whole it climbs in ``climb_s``."""
    if eased.at <= 0.0:
        return 1.0
    return min(1.0, eased.share + max(0.0, now - eased.at) / climb_s)


def throttled(eased: Eased, climb_s: float, now: float, sent_at: float, rest_s: float) -> Eased | None:
    """The carrier turned away what went at ``sent_at``, and rests for ``rest_s``; None when that says nothing new.

    All that went before the pace was last halved went at the pace that was too fast.
    """
    if eased.at and sent_at < eased.at:
        return None
    return Eased(max(SHARE_MIN, share_at(eased, climb_s, now) / 2), now + rest_s)


def congested(eased: Eased, climb_s: float, now: float, state: int, rest_s: float) -> Eased | None:
    """The carrier says how full it is; None when nothing follows from it.

    At its limit the pace is halved, once in ``rest_s``; near it a pace that climbs stays where it is.
    """
    if state >= FULL:
        return throttled(eased, climb_s, now, now, rest_s)
    share = share_at(eased, climb_s, now)
    if state < NEARLY_FULL or share >= 1.0 or now < eased.at:
        return None
    return Eased(share, now)
