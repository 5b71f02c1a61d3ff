"""Which addresses messages may name: a list leads to its hosts and folders, and nowhere else."""

from __future__ import annotations

import pytest

from gatewayd.config.callback_urls import URL_SIZE_MAX, is_allowed, is_entry


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://app.example/*", True),
        ("http://10.0.0.1:8080/dlr", True),
        ("https://app.example/cgi-bin/dlr*", True),
        ("https://[2001:db8::1]/x", True),
        ("https://app.example", False),  # a host that is not over yet
        ("https://app.example*", False),
        ("https://*/x", False),
        ("https://app.*/x", False),
        ("https://*.example/x", False),
        ("https://me:secret@app.example/", False),
        ("https://app.example/x?y=1", False),
        ("https://app.example/x y", False),
        ("https://app.example:0/", False),
        ("https://app.example:99999/", False),
        ("ftp://app.example/", False),
        ("*", False),
        ("", False),
    ],
)
def test_an_entry_says_its_host_whole(text: str, is_one: bool) -> None:
    assert is_entry(text) is is_one


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.example/dlr", True),
        ("https://app.example/dlr?type=%d&x=http://elsewhere/", True),
        ("https://app.example/dlr#x", True),
        ("https://app.example/dlr/more", False),
        ("https://app.example/dlr2", False),
        ("https://app.example.evil/dlr", False),
        ("https://app.example@evil/dlr", False),
        ("http://app.example/dlr", False),
        ("https://app.example:444/dlr", False),
        ("https://app.example/sms/any?x", True),
        ("https://app.example/sms/../admin", False),
        ("https://app.example/sms/%2e%2E/admin", False),
        ("https://app.example/sms/..%2fadmin", False),
        ("https://app.example/sms/..\\admin", False),
        ("https://app.example/sms/...", True),
        ("https://app.example/sms/a.b/", True),
        ("https://app.example/sms/x\r\nHost: evil", False),
        ("https://app.example/sms/" + "x" * URL_SIZE_MAX, False),
        ("", False),
    ],
)
def test_a_list_leads_nowhere_else(url: str, allowed: bool) -> None:
    assert is_allowed(url, ("https://app.example/dlr", "https://app.example/sms/*")) is allowed
    assert not is_allowed(url, ())
