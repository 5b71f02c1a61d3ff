"""How faults are told."""

from __future__ import annotations

import pytest

from gatewayd.config.faults import ConfigFaults, Fault, Findings, dotted, guess, shown


def test_a_fault_is_one_line() -> None:
    assert str(Fault("x.toml", "a.b", "is wrong", "right it")) == "x.toml: a.b: is wrong; right it"
    assert str(Fault("x.toml", "", "is wrong", "right it")) == "x.toml: is wrong; right it"


def test_findings_are_raised_together() -> None:
    findings = Findings("x.toml")
    findings.warn("c", "is odd", "look at it")
    findings.raise_if_any()
    findings.fault("a", "is wrong", "right it")
    findings.fault("b", "is wrong", "right it")
    assert findings.is_faulty("a")
    assert not findings.is_faulty("c")
    with pytest.raises(ConfigFaults) as refusal:
        findings.raise_if_any()
    assert str(refusal.value) == "x.toml: a: is wrong; right it\nx.toml: b: is wrong; right it"
    assert [warning.key for warning in refusal.value.warnings] == ["c"]


def test_keys_have_quotes_where_toml_needs_them() -> None:
    assert dotted("links", "a-b_1", "a b", 'a"b', "é") == r'links.a-b_1."a b"."a\"b"."é"'


def test_values_are_shown_as_in_toml() -> None:
    values: list[object] = [True, 1, 1.5, "é\n", [1, "a"], {}]
    assert [shown(value) for value in values] == ["true", "1", "1.5", '"é\\n"', '[1, "a"]', "a table"]
    assert len(shown("x" * 1000)) == 60


def test_guesses() -> None:
    assert guess("prot", ["port", "host"]) == "did you mean port?"
    assert guess("zzz", ["port", "host"]) == "known are host, port"
    assert guess("zzz", []) == "none is configured"
