"""The keys for applications that move here: which products, and which addresses their messages may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

ACCOUNT = 'traffic_class = "otp"\n'
HTTP = '\n[http]\nlisten = ["127.0.0.1:13013"]\ncompatible = ["kannel", "jasmin"]\n'
URLS = 'dlr_urls = ["https://app.example/dlr/*"]\n'


def test_a_sound_one(desk: Desk) -> None:
    loaded = desk.load((ACCOUNT, ACCOUNT + URLS + HTTP))
    assert loaded.warnings == ()
    assert loaded.config.http.compatible == ("kannel", "jasmin")
    private = URLS.replace("app.example", "10.0.0.1") + "dlr_allow_private = true\n"
    assert desk.load((ACCOUNT, ACCOUNT + private + HTTP)).warnings == ()


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (HTTP.replace("jasmin", "other"), '"other" is not known here'),
        (URLS.replace("app.example/dlr/*", "app.example*") + HTTP, '"https://app.example*" is not the beginning'),
        (URLS.replace("app.example", "10.0.0.1") + HTTP, 'accounts.bank.dlr_urls: "10.0.0.1" is not on the public'),
        (URLS.replace("app.example", "localhost") + HTTP, 'accounts.bank.dlr_urls: "localhost" is not on the public'),
    ],
)
def test_faults(desk: Desk, tables: str, line: str) -> None:
    assert any(line in fault for fault in desk.faults((ACCOUNT, ACCOUNT + tables))), desk.faults(
        (ACCOUNT, ACCOUNT + tables)
    )


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (HTTP.replace('"127.0.0.1:13013"', ""), "http.compatible: has no effect: HTTP is off;"),
        (URLS, "accounts.bank.dlr_urls: has no effect without http.compatible;"),
    ],
)
def test_warnings(desk: Desk, tables: str, line: str) -> None:
    assert any(line in str(warning) for warning in desk.load((ACCOUNT, ACCOUNT + tables)).warnings)
