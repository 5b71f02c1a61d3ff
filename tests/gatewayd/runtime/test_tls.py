"""What a listener shows, how old its TLS may be, and how it takes up a certificate that was exchanged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatewayd.runtime import tls as module
from gatewayd.runtime.tls import LiveTls, TlsWatch, names_of, server_context
from tests.daemon.test_tls import certificate
from tests.support.watch import Watch


def pair(folder: Path) -> tuple[str, str]:
    folder.mkdir(exist_ok=True)
    return certificate(folder)


def exchange(new: tuple[str, str], old: tuple[str, str]) -> None:
    """Put one pair in the place of another, as a tool that renews certificates does."""
    for source, target in zip(new, old, strict=True):
        shutil.copy(source, f"{target}.new")
        Path(f"{target}.new").replace(target)


def renew(new: str, old: str) -> None:
    """Write over it, a second later: within one tick of the file system's clock nothing would tell them apart."""
    moment = Path(old).stat().st_mtime + 1
    shutil.copy(new, old)
    os.utime(old, (moment, moment))


def read(file: str) -> bytes:
    return Path(file).read_bytes()


def write(file: str, octets: bytes | None) -> None:
    """None: there is no such file any more."""
    Path(file).unlink() if octets is None else Path(file).write_bytes(octets)


def test_the_key_may_be_in_a_file_of_its_own_or_the_same(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    assert server_context(pem, key).minimum_version is ssl.TLSVersion.TLSv1_2
    both = tmp_path / "both.pem"
    both.write_text(Path(pem).read_text() + Path(key).read_text())
    context = server_context(str(both), None)
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE)
    assert server_context(pem, key, pem).verify_mode is ssl.CERT_OPTIONAL


def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    for broken in (tmp_path / "nothing.pem", Path(pem)):  # the second has no key
        with pytest.raises(OSError):
            server_context(str(broken), None)
    with pytest.raises(OSError):
        server_context(pem, key, key)


class Door:
    """A listener that tells each caller by which names it knows it, and stays open."""

    def __init__(self, live: LiveTls) -> None:
        self.live = live
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.live.context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = names_of(writer.get_extra_info("ssl_object"))
        writer.write(" ".join(sorted(names)).encode() + b"\n")
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async def call(
        self, trusted: str, own: tuple[str, str] | None = None
    ) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=trusted)
        if own is not None:
            context.load_cert_chain(*own)
        assert self.server is not None
        port = self.server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        line = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # how a refusal reaches us is a matter of timing
            line = await asyncio.wait_for(reader.readline(), 10)
        return line.decode().strip(), reader, writer


@contextlib.asynccontextmanager
async def door(live: LiveTls) -> AsyncIterator[Door]:
    it = Door(live)
    await it.start()
    yield it
    assert it.server is not None
    it.server.close()


async def test_new_handshakes_see_the_new_certificate_and_connections_that_stand_go_on(tmp_path: Path) -> None:
    first, second, shown = pair(tmp_path / "1"), pair(tmp_path / "2"), pair(tmp_path / "shown")
    exchange(first, shown)
    async with door(LiveTls(*shown)) as it:
        _, reader, standing = await it.call(first[0])
        exchange(second, shown)
        assert it.live.look()
        _, _, writer = await it.call(second[0])
        with pytest.raises(ssl.SSLCertVerificationError):
            await it.call(first[0])
        standing.write(b"still here")
        await standing.drain()
        assert not reader.at_eof()
        assert not it.live.look(), "nothing has changed since"
        writer.close()
        standing.close()


async def test_a_broken_file_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    shown, other = pair(tmp_path / "shown"), pair(tmp_path / "other")
    kept = read(shown[0])
    async with door(LiveTls(*shown)) as it:
        for broken, word in ((b"nonsense", "PEM"), (read(other[0]), "mismatch"), (None, "No such file")):
            write(shown[0], broken)
            assert it.live.look()
            assert word in it.live.fault
            write(str(tmp_path / "kept.pem"), kept)
            _, _, writer = await it.call(str(tmp_path / "kept.pem"))
            writer.close()
        write(shown[0], kept)
        assert it.live.look()
        assert it.live.fault == ""


async def test_one_that_has_ended_is_not_taken_for_one_that_has_not(tmp_path: Path) -> None:
    shown, ended, chain = (pair(tmp_path / name) for name in ("shown", "ended", "chain"))
    ended = certificate(tmp_path / "ended", days=-0.01)
    live = LiveTls(*shown)
    before = live._current
    exchange(ended, shown)
    assert live.look()
    assert (live._current, live.fault.endswith("the certificate has ended")) == (before, True)
    exchange(chain, shown)
    write(shown[0], read(shown[0]) + read(ended[0]))
    assert live.look()
    assert live.fault == "", "what stands behind it may be over"
    assert live._current is not before
    assert LiveTls(*ended).fault == "", "at a start there is no other"


async def test_callers_are_known_by_their_certificates_and_authorities_can_be_exchanged(tmp_path: Path) -> None:
    shown, one, other = pair(tmp_path / "shown"), pair(tmp_path / "one"), pair(tmp_path / "other")
    authorities = str(tmp_path / "authorities.pem")
    write(authorities, read(one[0]))
    async with door(LiveTls(*shown, authorities)) as it:
        told, _, writer = await it.call(shown[0])
        assert told == "", "nobody need have one"
        writer.close()
        told, _, writer = await it.call(shown[0], one)
        writer.close()
        octets = ssl.PEM_cert_to_DER_cert(read(one[0]).decode())
        assert set(told.split()) == {"127.0.0.1", "gatewayd", f"sha256:{hashlib.sha256(octets).hexdigest()}"}
        told, _, writer = await it.call(shown[0], other)
        assert told == "", "the handshake ended instead of a line"
        writer.close()
        write(authorities, read(other[0]))
        assert it.live.look()
        told, _, writer = await it.call(shown[0], other)
        assert "gatewayd" in told
        writer.close()
    assert names_of(None) == frozenset()


async def test_the_watch_waits_until_a_change_is_done_and_tells_what_it_cannot_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown, other = pair(tmp_path / "shown"), pair(tmp_path / "other")
    live = LiveTls(*shown)
    faults: list[str] = []
    heard = Watch()
    watch = TlsWatch({"smpp": live}, faults.append)
    renew(other[0], shown[0])
    assert watch.look(at_once=False) == [], "the key may be about to follow"
    (said,) = watch.look(at_once=False)
    assert said.startswith("smpp: the new certificate is not taken")
    assert [*watch.readings()] == [(("smpp.tls_certificate",), 1.0)]
    assert watch.look(at_once=False) == [said], "still so, but told once"
    assert faults == ["smpp"]
    assert caplog.text.count("the old one is still shown") == 1
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    renew(other[1], shown[1])
    caplog.set_level("INFO")
    look = watch.look

    def look_and_tell(*, at_once: bool = True) -> list[str]:
        heard.ring()
        return look(at_once=at_once)

    monkeypatch.setattr(watch, "look", look_and_tell)
    watch.start()
    await heard.until(lambda: not live.fault)
    watch.stop()
    assert look() == []
    assert [*watch.readings()] == [(("smpp.tls_certificate",), 0.0)]


async def test_nothing_is_watched_where_nothing_is_encrypted() -> None:
    watch = TlsWatch({})
    watch.start()
    assert watch.look() == []
    watch.stop()
