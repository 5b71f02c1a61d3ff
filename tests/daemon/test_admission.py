"""Who is let in, from outside: behind a balancer, with a certificate, after too many guesses, beyond a day's limit.

One daemon of two workers; strangers and owners come from addresses of their own on the loopback.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import PASSWORD, ROOT, Daemon, password_hash, secret_file
from tests.daemon.raw import SUBMIT_SM, Raw, submit
from tests.daemon.tap import Conversation
from tests.daemon.test_tls import certificate

pytestmark = pytest.mark.timeout(180)

BALANCER, OWNER, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
OK, BINDFAIL, WRONG, THROTTLED = 0x00, 0x0D, 0x0E, 0x58
FAILURES, DAY = 4, 6


def header(address: str) -> bytes:
    """Version 2, as HAProxy writes it, for a client at an IPv4 address."""
    octets = bytes(map(int, address.split(".")))
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + octets + bytes((192, 0, 2, 1)) + b"\xdc\x04\x0a\xd7"


LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


class Place:
    """The daemon, and what those who come to it have."""

    def __init__(self, folder: Path, kept: list[Conversation]) -> None:
        self.folder, self.kept = folder, kept
        names = ("shown", "next", "own", "unknown")
        for name in names:
            (folder / name).mkdir()
        self.shown, self.next, self.own, self.unknown = (certificate(folder / name) for name in names)
        smpp = {
            "listen": ["127.0.0.1:0"],
            "tls_listen": ["127.0.0.1:0"],
            "tls_certificate": self.shown[0],
            "tls_key": self.shown[1],
            "tls_client_ca": self.own[0],
            "proxy_networks": [f"{BALANCER}/32"],
            "lockout_failures": FAILURES,
        }
        carrier = {
            "kind": "smpp",
            "host": "127.0.0.1",
            "port": 9,
            "system_id": "example",
            "password_file": secret_file(folder / "password", "secret"),
            "reconnect_min_s": 60,
        }
        hashed = password_hash()
        tables = {
            "daemon": {"workers": 2},
            "smpp": smpp,
            "http": {"tls_listen": ["127.0.0.1:0"], "tls_certificate": self.shown[0], "tls_key": self.shown[1]},
            "webhooks": {"listen": "127.0.0.1:0", "tls_certificate": self.shown[0], "tls_key": self.shown[1]},
            "accounts": {
                "shop": {"password_hash": hashed, "rate_per_s": 0, "binds_max": 20},
                "inner": {"password_hash": hashed, "networks": ["203.0.113.0/24"]},
                "bank": {"password_hash": hashed, "tls_names": ["gatewayd"]},
                "daily": {"password_hash": hashed, "rate_per_s": 0, "per_day": DAY},
                "eager": {"password_hash": hashed, "rate_per_s": 20, "burst": 1, "throttle_delay_s": 5},
            },
            "links": {"carrier": carrier},
            "routes": [{"links": ["carrier"]}],
        }
        self.daemon = Daemon(folder, tables)

    def come(self, label: str, tls: ssl.SSLContext | None = None, **how: Any) -> Raw:
        return Raw(self.daemon.smpp[1 if tls else 0], self.kept, label, tls, **how)

    def status(self, label: str, name: str, password: str = PASSWORD, **how: Any) -> int:
        """Of a bind that is closed again."""
        with self.come(label, **how) as raw:
            return raw.bind(name, password)

    def trusting(self, pair: tuple[str, str] | None = None) -> ssl.SSLContext:
        """A caller's TLS that knows what is shown, with a certificate of its own perhaps."""
        context = ssl.create_default_context(cafile=self.shown[0])
        if pair is not None:
            context.load_cert_chain(*pair)
        return context

    def faults(self, kind: str) -> float:
        return self.daemon.scrape().value("gatewayd_faults_total", side="esme", kind=kind)

    def command(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "gatewayd", *words, "--json", "--config", str(self.daemon.config)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tapped: list[Conversation]) -> Iterator[Place]:
    it = Place(tmp_path_factory.mktemp("admission"), tapped)
    it.daemon.start()
    yield it
    it.daemon.stop()


def test_behind_a_balancer_the_client_is_who_comes(place: Place) -> None:
    inside, outside = header("203.0.113.7"), header("198.51.100.7")
    for tls in (None, place.trusting()):
        with place.come("inside", tls, source=BALANCER, head=inside) as raw:
            assert raw.bind("inner") == OK
            assert raw.submits_well()
        assert place.status("outside", "inner", source=BALANCER, head=outside) == BINDFAIL
    place.daemon.hear(re.compile(r"= bound peer=203\.0\.113\.7 account=inner "))
    with place.come("a check", source=BALANCER, head=LOCAL):
        pass
    before = place.faults("proxy_absent")
    with place.come("no header", source=BALANCER) as raw:
        raw.write(submit())
        assert raw.read() is None
    assert place.faults("proxy_absent") == before + 1
    assert place.status("not a balancer", "inner", source=OWNER) == BINDFAIL


def test_an_account_with_a_certificate_cannot_bind_without(place: Place) -> None:
    assert place.status("plain", "bank") == BINDFAIL
    assert place.status("none", "bank", tls=place.trusting()) == BINDFAIL
    before = place.faults("tls_handshake")
    try:
        with place.come("unknown", place.trusting(place.unknown)) as raw:
            assert raw.read() is None
    except (ssl.SSLError, OSError):
        pass  # or so: it is a matter of timing at which octet the refusal is seen
    assert place.faults("tls_handshake") == before + 1
    with place.come("own", place.trusting(place.own)) as raw:
        assert raw.bind("bank") == OK
        assert raw.submits_well()


def statuses(raw: Raw, count: int, first: int = 100) -> list[int]:
    """The answers to so many submits that come at once, by the order of the submits."""
    raw.write(b"".join(submit(first + number) for number in range(count)))
    heads = raw.read_heads(count)
    assert {command for command, _, _ in heads} == {SUBMIT_SM | 0x80000000}
    return [status for _, status, _ in sorted(heads, key=lambda head: head[2])]


def test_lock_outs_and_a_days_limit_hold_for_all_workers_and_outlive_a_kill(place: Place) -> None:
    with place.come("standing", source=STRANGER) as standing:
        assert standing.bind("shop") == OK
        for _ in range(FAILURES):
            assert place.status("guess", "shop", "wrong", source=STRANGER) == WRONG
        assert [place.status("right at last", "shop", source=STRANGER) for _ in range(4)] == [BINDFAIL] * 4
        assert standing.is_alive()
        assert standing.submits_well(), "a bind that stands is not touched"
    assert place.status("owner", "shop", source=OWNER) == OK
    (row,) = place.command("accounts", "locked")["rows"]
    assert (row["account"], row["address"]) == ("shop", STRANGER)
    assert place.daemon.scrape().value("gatewayd_lockouts_total", scope="bind") == 1
    answers = []
    for _ in range(4):  # binds, in either worker
        with place.come("daily") as raw:
            assert raw.bind("daily") == OK
            answers += statuses(raw, 2)
    assert answers == [OK] * DAY + [THROTTLED] * (8 - DAY)
    assert place.daemon.scrape().value("gatewayd_account_used_ratio", account="daily", span="day") == 1
    place.daemon.kill()
    place.daemon.start()
    with place.come("daily, later") as raw:
        assert raw.bind("daily") == OK
        assert statuses(raw, 1) == [THROTTLED]
    assert place.status("after a kill", "shop", source=STRANGER) == BINDFAIL
    assert place.command("accounts", "unlock", "shop")["forgotten"] >= 1
    assert place.status("let in", "shop", source=STRANGER) == OK


def test_a_little_too_fast_is_slowed_down_and_not_refused(place: Place) -> None:
    with place.come("eager") as raw:
        assert raw.bind("eager") == OK
        assert statuses(raw, 12) == [OK] * 12
        raw.write(b"".join(submit(200 + number) for number in range(150)))
        found = [status for _, status, _ in raw.read_heads(20)]
        assert THROTTLED in found, "too much to wait for is told at once"
    assert place.daemon.scrape().value("gatewayd_submits_delayed_total", account="eager") >= 11


def test_a_certificate_is_exchanged_while_binds_stand(place: Place) -> None:
    for source, target in zip(place.shown, ("kept.pem", "kept.key"), strict=True):
        shutil.copy(source, place.folder / target)
    old = ssl.create_default_context(cafile=str(place.folder / "kept.pem"))
    new = ssl.create_default_context(cafile=place.next[0])
    with place.come("standing", old) as standing:
        assert standing.bind("shop") == OK
        said = len(place.daemon.lines)
        Path(place.shown[0]).write_text("no certificate")
        place.daemon.hear(re.compile("smpp: the new certificate is not taken"), 20.0, said)
        assert place.status("the old one", "shop", tls=old) == OK
        assert place.daemon.scrape().value("gatewayd_certificate_refused", key="smpp.tls_certificate") == 1
        for source, shown in zip(place.next, place.shown, strict=True):
            shutil.copy(source, shown)
        said = len(place.daemon.lines)
        place.daemon.tell(signal.SIGHUP)
        place.daemon.hear(re.compile("= reloaded "), 20.0, said)
        assert [place.status("the new one", "shop", tls=new) for _ in range(4)] == [OK] * 4
        with pytest.raises(ssl.SSLCertVerificationError):
            place.status("the old one is gone", "shop", tls=old)
        for door in (*place.daemon.http, place.daemon.webhooks):
            with socket.create_connection(door, 10) as plain, new.wrap_socket(plain, server_hostname=door[0]) as stream:
                assert stream.version()
        assert standing.submits_well()
    assert place.daemon.scrape().value("gatewayd_certificate_refused", key="smpp.tls_certificate") == 0
