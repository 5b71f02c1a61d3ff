"""How numbers are written in a country, and which there are: taken from the phonenumbers library when it is first
asked for, as patterns that cost one match each. Without that question it is not even loaded, nor is regex.

Knows no message and no account.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

# What libphonenumber calls a number of a country: one that fits the pattern of any of these.
_TYPES: Final = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
_SHORTEST: Final = 7
# One plan, dialled with one trunk prefix, but each with a calling code of its own: who lives in one of them writes the
# numbers of all others as if they were its own.
_FAMILIES: Final = (("FR", "GP", "GF", "MQ", "RE", "YT", "PM"),)


class Plan(NamedTuple):
    """One country's numbers. ``calling_code`` and ``trunk`` are digits; ``trunk`` is what stands before a national
    number, or empty. ``trunk_rule`` finds it, ``trunk_form`` is what a number becomes without it, where that is more
    than to drop it. ``exit_rule`` finds what is dialled to leave the country. ``heads`` are the first three digits of
    numbers that fit ``valid``, where somebody needs them."""

    region: str
    calling_code: str
    trunk: str
    trunk_rule: re.Pattern[str] | None
    trunk_form: str
    exit_rule: re.Pattern[str] | None
    valid: re.Pattern[str]
    heads: frozenset[str] = frozenset()


def is_country(region: str) -> bool:
    """Whether numbers of this country (ISO 3166, two capitals) are known at all."""
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS


@functools.cache
def plan_of(region: str) -> Plan:
    """The plan of a country. Raises ValueError for one that is not known."""
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None:
        raise ValueError(region)
    return _plan(region, metadata)


@functools.cache
def family_of(region: str) -> tuple[Plan, ...]:
    """The country's plan, and those of the countries whose numbers are written there as its own; of these with their
    heads, where the calling code is another."""
    home = plan_of(region)
    others = [plan.region for plan in plans_of(home.calling_code)]
    others += next((family for family in _FAMILIES if region in family), ())
    plans = [plan_of(other) for other in dict.fromkeys(others) if other != region]
    return (home, *(plan if plan.calling_code == home.calling_code else _with_heads(plan) for plan in plans))


def _with_heads(plan: Plan) -> Plan:
    """Tried one by one: what could go on to be a number. ``re`` cannot say that of a part."""
    import regex
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(plan.region, None)
    descs = [getattr(metadata, name) for name in _TYPES]
    # Without the lengths: before a lookahead the partial match knows no better than yes.
    kinds = [desc.national_number_pattern for desc in descs if _pattern(desc)]
    if metadata is None or metadata.general_desc is None or min(metadata.general_desc.possible_length) < _SHORTEST:
        return plan  # nearly everything begins like one of its short numbers
    fits = regex.compile("|".join(kinds)).fullmatch
    heads = (f"{head:03}" for head in range(1_000))
    return plan._replace(heads=frozenset(head for head in heads if fits(head, partial=True)))


@functools.cache
def plans_of(calling_code: str) -> tuple[Plan, ...]:
    """The plans that share a calling code, none for one that nobody has."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code), ())
    if regions == ("001",):  # numbers of no country, such as those of satellites
        metadata = PhoneMetadata.metadata_for_nongeo_region(int(calling_code), None)
        return (_plan("001", metadata),) if metadata is not None else ()
    return tuple(plan_of(region) for region in regions)


def _plan(region: str, metadata: PhoneMetadata) -> Plan:
    rule = metadata.national_prefix_for_parsing
    exit_rule = metadata.international_prefix
    return Plan(
        region,
        str(metadata.country_code),
        metadata.national_prefix or "",
        re.compile(rule) if rule else None,
        _template(metadata.national_prefix_transform_rule or ""),
        re.compile(exit_rule) if exit_rule else None,
        _valid(metadata),
    )


def _template(rule: str) -> str:
    return re.sub(r"\$(\d)", r"\\\1", rule)


def _valid(metadata: PhoneMetadata) -> re.Pattern[str]:
    """What one of the patterns takes, and the general one, too."""
    general = metadata.general_desc.national_number_pattern if metadata.general_desc is not None else ""
    kinds = [pattern for name in _TYPES if (pattern := _pattern(getattr(metadata, name)))]
    return re.compile(f"(?=(?:{general})\\Z)(?:{'|'.join(kinds) or general})\\Z")


def _pattern(desc: PhoneNumberDesc | None) -> str:
    if desc is None or not desc.national_number_pattern or desc.possible_length == (-1,):
        return ""
    lengths = "|".join(f"\\d{{{length}}}\\Z" for length in desc.possible_length)
    return f"(?:{f'(?={lengths})' if lengths else ''}(?:{desc.national_number_pattern}))"
