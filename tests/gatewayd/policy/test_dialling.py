"""Numbers as they are dialled: each form that applications write has one with the country code."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config.number_plans import family_of, plan_of, plans_of
from gatewayd.policy.dialling import Dialling, national_of

PARIS = Dialling(family_of("FR"), plans_of)
STRICT = Dialling(family_of("FR"), plans_of, checks=True)
NOWHERE = Dialling((), plans_of, checks=True)


def read(dialling: Dialling, address: str, ton: int) -> str | None:
    """The number with a plus where it is international; a short code and the like bare; None where it is refused."""
    place = dialling.read(address, ton)
    return None if place is None else f"+{place.digits}" if place.is_international else place.digits


@pytest.mark.parametrize(
    ("address", "ton", "expected"),
    [
        ("33612345678", 1, "+33612345678"),
        ("+33612345678", 1, "+33612345678"),
        ("+33612345678", 0, "+33612345678"),
        ("0033612345678", 1, "+33612345678"),
        ("0033612345678", 0, "+33612345678"),
        ("0612345678", 0, "+33612345678"),
        ("0612345678", 2, "+33612345678"),
        ("0612345678", 1, "+33612345678"),  # the wrong type, and yet no doubt
        ("612345678", 2, "+33612345678"),
        ("612345678", 0, "+33612345678"),  # +61 2345678 is nobody's
        ("33612345678", 0, "+33612345678"),
        ("06 12 34 56 78", 0, "+33612345678"),
        ("06.12.34.56.78", 2, "+33612345678"),
        ("+33 (6) 12-34-56-78", 1, "+33612345678"),
        ("447911123456", 0, "+447911123456"),
        ("00447911123456", 0, "+447911123456"),
        ("0690123456", 0, "+590690123456"),
        ("0694201234", 2, "+594694201234"),
        ("0696201234", 2, "+596696201234"),
        ("0692123456", 0, "+262692123456"),
        ("0639012345", 0, "+262639012345"),
        ("+33690123456", 1, "+590690123456"),
        ("33692123456", 0, "+262692123456"),
        ("33639012345", 1, "+262639012345"),
        ("262692123456", 1, "+262692123456"),
        ("36105", 0, "36105"),
        ("36105", 3, "36105"),
        ("3117", 2, "3117"),
        ("Shop", 5, None),
        ("06x2345678", 0, None),
        ("", 0, None),
        ("+", 1, None),
        ("12", 0, None),
        ("+12", 1, None),
        ("36105", 1, None),
        ("1234567890123456", 0, None),
        ("٣٣٦١٢٣٤٥٦٧٨", 1, None),
    ],
)
def test_what_a_french_application_may_write(address: str, ton: int, expected: str | None) -> None:
    assert read(PARIS, address, ton) == expected
    assert read(STRICT, address, ton) == expected


@pytest.mark.parametrize(
    ("region", "address", "expected"),
    [
        ("US", "2025550123", "+12025550123"),
        ("US", "12025550123", "+12025550123"),
        ("US", "01133612345678", "+33612345678"),
        ("GB", "07911123456", "+447911123456"),
        ("DE", "01721234567", "+491721234567"),
        ("DE", "33612345678", "+33612345678"),  # written without 0 it is not from here
        ("IT", "3123456789", "+393123456789"),
        ("IT", "0612345678", "+390612345678"),  # its zero is a digit of the number
        ("ES", "612345678", "+34612345678"),
        ("BR", "011961234567", "+5511961234567"),
        ("BR", "01511961234567", "+5511961234567"),  # a carrier's code stands before it
        ("AR", "0111523456789", "+5491123456789"),
        ("NC", "751234", "+687751234"),
        ("RE", "0692123456", "+262692123456"),
        ("RE", "0612345678", "+33612345678"),
    ],
)
def test_what_others_write(region: str, address: str, expected: str) -> None:
    assert read(Dialling(family_of(region), plans_of), address, 0) == expected


def test_numbers_that_nobody_has_are_refused_where_that_is_asked_for() -> None:
    for address, ton in [("0012345678", 1), ("999123456789", 1), ("0112", 1), ("33112", 1), ("3361234567", 1)]:
        assert read(STRICT, address, ton) is None, address
    assert read(PARIS, "999123456789", 1) == "+999123456789"
    assert read(STRICT, "0699999", 0) is None
    assert read(STRICT, "0712", 0) is None
    assert read(PARIS, "0712", 0) == "0712"
    assert read(PARIS, "0699999", 0) == "0699999"  # as without a country: it is the carrier's to judge
    assert read(NOWHERE, "33612345678", 1) == "+33612345678"
    assert read(NOWHERE, "33112345", 1) is None
    assert read(NOWHERE, "0612345678", 0) is None
    assert read(NOWHERE, "06 12", 0) is None
    assert read(NOWHERE, "36105", 0) == "36105"
    assert read(NOWHERE, "870773111632", 1) == "+870773111632"  # a satellite's


def test_a_number_as_it_is_written_at_home() -> None:
    assert national_of(plan_of("FR"), "33612345678") == "0612345678"
    assert national_of(plan_of("FR"), "590690123456") == ""
    assert national_of(plan_of("GB"), "33612345678") == ""
    assert national_of(plan_of("US"), "12025550123") == "2025550123"
    assert national_of(plan_of("IT"), "393123456789") == "3123456789"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.data())
def test_our_patterns_take_what_the_library_takes(region: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(range(11)))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    if example is None:
        return
    digits = list(phonenumbers.national_significant_number(example))
    at, digit = data.draw(st.integers(0, len(digits) - 1)), data.draw(st.sampled_from("0123456789"))
    digits[at] = digit
    national, code = "".join(digits), plan_of(region).calling_code
    leading = len(national) - len(national.lstrip("0"))
    number = phonenumbers.PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=leading > 0,
        number_of_leading_zeros=leading if leading > 1 else None,
    )
    is_ours = any(plan.valid.match(national) is not None for plan in plans_of(code))
    assert is_ours == phonenumbers.is_valid_number(number)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["FR", "GB", "DE", "ES", "US", "BE", "RE", "MQ", "IT"]), st.data())
def test_all_spellings_of_a_mobile_are_one(region: str, data: st.DataObject) -> None:
    home = Dialling(family_of(region), plans_of, checks=True)
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    formats = phonenumbers.PhoneNumberFormat
    spoken = data.draw(st.sampled_from([formats.E164, formats.INTERNATIONAL, formats.NATIONAL]))
    e164 = phonenumbers.format_number(number, formats.E164)
    assert read(home, phonenumbers.format_number(number, spoken), data.draw(st.sampled_from([0, 1]))) == e164
