"""``gatewayd send``: one message or a file of them, over SMPP as an application would.

What an application's side of a bind is, senders.esme_client knows; which rows there are, cli.batch. Here is the pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, refuse
from gatewayd.config import forms
from gatewayd.config.addresses import parse_address

if TYPE_CHECKING:
    from gatewayd.cli.batch import Batch
    from gatewayd.senders.esme_client import EsmeClient

DEFAULT_ADDRESS: Final = "127.0.0.1:2775"
NOT_NOW: Final = frozenset({0x14, 0x58, 0x08})  # ESME_RMSGQFUL, ESME_RTHROTTLED, ESME_RSYSERR
REST_S: Final = 1.0
ANSWERS_WAIT_S: Final = 35.0
ADDRESS_MAX: Final = 20  # SMPP 3.4 section 5.2.8: 21 octets with the terminating NUL
_TICK_S: Final = 0.2

Tell = Callable[["Batch"], None]


def send(
    to: Annotated[str, typer.Argument(help="A number: +33612345678 or 33612345678.")] = "",
    text: Annotated[str, typer.Argument(help="The text; a long one goes as a whole.")] = "",
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A CSV file with the columns to and text.")] = None,
    account: Annotated[str, typer.Option("--account", "-a", help="The account to bind as.")] = "",
    source: Annotated[str, typer.Option("--from", help="The sender address: a name or a number.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="The account's password; without it you are asked.")
    ] = None,
    connect: Annotated[str, typer.Option(help="The daemon's SMPP address; without it, from the configuration.")] = "",
    tls_ca: Annotated[Path | None, typer.Option(help="Speak TLS, and trust this certificate.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0: as fast as they are taken.")] = 0.0,
    window: Annotated[int, typer.Option(min=1, max=1000, help="How many may wait for their answer.")] = 100,
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Wait so many seconds for receipts.")] = 0.0,
    state: Annotated[
        Path | None, typer.Option(help="Where to keep how far it is; with the same file it goes on.")
    ] = None,
    resend_unknown: Annotated[bool, typer.Option(help="Going on, send again what had no answer.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write what became of each row to this CSV file.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send one message or a file of them, bound over SMPP as an application is, and report what became of them.

    Without --wait it binds as a transmitter and asks for no receipts. With --wait it binds as a transceiver, and leaves
    what is not its own to the account's other binds: use an account of its own where that matters.

    A run that was interrupted goes on with the same command and --state file. What was sent and had no answer then is
    "unknown", and is not sent again unless you say so. Ctrl-C stops it: answers are awaited, the report is written.

    Example: `gatewayd send --account shop --from SHOP --file list.csv --rate 50 --state list.state --report report.csv`

    Exit codes: 0 everything was accepted (with --wait: and delivered); 1 something was not, or it was stopped or cut
    off; 2 the file, the password or an option cannot be used: nothing was sent; 3 there was no bind: nothing was sent.
    """
    from gatewayd.cli.batch import Batch, BatchFault, Row, checked, read_rows, write_report

    if bool(file) == bool(to) or (to and not text):
        refuse("give a number and a text, or a file with --file")
    if not account or not source:
        refuse("say whom to bind as (--account) and the sender address (--from)")
    _insist(forms.system_id(account), "--account")
    if not forms.is_printable(source) or len(source) > ADDRESS_MAX:
        refuse(f"--from: {source!r} is no sender address; use at most {ADDRESS_MAX} printable ASCII characters")
    try:
        batch = Batch(read_rows(file) if file else checked([Row(to, text)]))
        known = batch.keep(state, resend_unknown=resend_unknown) if state else 0
    except (BatchFault, OSError) as fault:
        refuse(str(fault))
    if known:
        typer.echo(f"going on: {known} of {len(batch.rows)} were sent before", err=True)
    host, port = _address(connect, config)
    run = Run(batch, source, rate, wait_s, window)
    try:
        with _progress(batch, as_json) as tell:
            failure = asyncio.run(run.run(host, port, account, _password(password_file), _tls(tls_ca), tell))
        if report:
            write_report(report, batch.report())
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}", FAILED)
    finally:
        batch.close()
    _conclude(batch, failure, as_json=as_json, waited=wait_s > 0)
    if failure or not _is_good(batch, wait_s > 0):
        raise typer.Exit(FAILED)


def _address(connect: str, config: Path) -> tuple[str, int]:
    """Where to connect: as said, or as the configuration listens. An address for all networks is ours as well."""
    if not connect:
        try:
            listen = tomllib.loads(config.read_bytes().decode("utf-8-sig")).get("smpp", {}).get("listen", [])
            connect = str(listen[0])
        except (OSError, ValueError, IndexError, AttributeError):
            connect = DEFAULT_ADDRESS
    try:
        host, port = parse_address(connect)
    except ValueError:
        refuse(f"{connect} is not an address; write 127.0.0.1:2775 or [::1]:2775")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _password(file: Path | None) -> str:
    password = _read_password(file)
    _insist(forms.password(password), str(file or "the password"))
    return password


def _read_password(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n")
        import getpass

        return getpass.getpass("Password: ")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{file}: {getattr(error, 'strerror', None) or error}")


def _insist(verdict: forms.Verdict, what: str) -> None:
    """What no bind could carry ends the command before there is one."""
    if verdict is not None:
        refuse(f"{what}: {verdict[0]}; {verdict[1]}")


def _tls(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        refuse(f"{ca}: {error.strerror or error}")


class Run:
    """One run over all rows."""

    def __init__(self, batch: Batch, source: str, rate_per_s: float, wait_s: float, window: int) -> None:
        self._batch = batch
        self._source = source
        self._rate_per_s = rate_per_s
        self._wait_s = wait_s
        self._window = window
        self._rest_until = 0.0
        self._is_stopped = False

    async def run(
        self, host: str, port: int, account: str, password: str, tls: ssl.SSLContext | None, tell: Tell
    ) -> str:
        """Why it ended early, or nothing."""
        from gatewayd.senders.esme_client import ClientFault, EsmeClient

        hears = self._batch.received if self._wait_s else None
        client = EsmeClient(account, password, self._answered, hears, window=self._window)
        try:
            await client.connect(host, port, tls)
        except ClientFault as fault:
            typer.echo(f"gatewayd: {fault}", err=True)
            raise typer.Exit(3) from None
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop)
        try:
            await self._send_all(client, tell)
            await self._await(client, tell, ANSWERS_WAIT_S, lambda: client.unanswered)
            if not self._is_stopped:
                await self._await(client, tell, self._wait_s, lambda: self._batch.awaited)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            await client.close()
            tell(self._batch)
        if self._is_stopped:
            return "stopped"
        return f"the connection was lost ({client.closed})" if self._batch.next_row() is not None else ""

    def _stop(self) -> None:
        self._is_stopped = True

    async def _send_all(self, client: EsmeClient, tell: Tell) -> None:
        """Row after row, as the window and the rate allow."""
        began, sent = time.monotonic(), 0
        while client.is_bound and not self._is_stopped:
            number = self._batch.next_row()
            if number is None:
                if not client.unanswered:
                    return
                await client.wait(_TICK_S)  # one may come back
                continue
            now = time.monotonic()
            due = max(self._rest_until, began + sent / self._rate_per_s if self._rate_per_s else 0.0)
            if client.room and now >= due:
                self._send_one(client, number)
                sent += 1
                if sent % 50 == 0:
                    tell(self._batch)
                    await asyncio.sleep(0)
                continue
            tell(self._batch)
            await client.wait(min(_TICK_S, max(0.001, due - now)) if now < due else _TICK_S)

    def _send_one(self, client: EsmeClient, number: int) -> None:
        from gatewayd.senders.esme_client import submit_of

        row = self._batch.rows[number]
        try:
            pdu = submit_of(self._source, row.to, row.text, wants_receipt=self._wait_s > 0)
        except ValueError as error:
            self._batch.answered(number, str(error))
            return
        self._batch.going(number)
        client.submit(number, pdu)

    def _answered(self, number: int, status: int, detail: str) -> None:
        from gatewayd.cli.batch import ACCEPTED, UNKNOWN
        from protocol.smpp.constants import status_name

        if status == 0:
            self._batch.answered(number, ACCEPTED, detail)
        elif status in NOT_NOW:
            self._batch.came_back(number)
            self._rest_until = time.monotonic() + REST_S
        elif status < 0:
            self._batch.answered(number, UNKNOWN)
        else:
            self._batch.answered(number, status_name(status))

    async def _await(self, client: EsmeClient, tell: Tell, wait_s: float, left: Callable[[], int]) -> None:
        until = time.monotonic() + wait_s
        while left() and client.is_bound and time.monotonic() < until:
            await client.wait(_TICK_S)
            tell(self._batch)


@contextlib.contextmanager
def _progress(batch: Batch, as_json: bool) -> Iterator[Tell]:
    """A bar on stderr, where somebody looks."""
    from gatewayd.cli.tables import console

    out = console(to_stderr=True)
    if as_json or not out.is_terminal or len(batch.rows) == 1:
        yield lambda batch: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began, before = time.monotonic(), batch.done
    last_done, last_at = before, began
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=len(batch.rows), completed=before, rate="")

        def tell(batch: Batch) -> None:
            nonlocal last_done, last_at
            if batch.done > last_done:  # the rate is that of sending, and stands while only receipts come
                last_done, last_at = batch.done, time.monotonic()
            rate = (last_done - before) / max(0.001, last_at - began)
            receipts = f", {batch.received_count} receipts" if batch.received_count else ""
            bar.update(task, completed=last_done, rate=f"{rate:,.1f}/s{receipts}")

        yield tell


def _conclude(batch: Batch, failure: str, *, as_json: bool, waited: bool) -> None:
    from gatewayd.cli.calls import print_json
    from gatewayd.cli.tables import Column, amount, console, table

    counts = batch.counts()
    if as_json:
        rows = [
            {"to": row.to, "id": row.message_id, "answer": row.answer, "receipt": row.receipt} for row in batch.rows
        ]
        print_json(counts | {"failure": failure} | ({"messages": rows} if len(rows) == 1 else {}))
        return
    rows_of = [
        {"what": what, "word": word, "count": amount(n)} for what, of in counts.items() for word, n in of.items()
    ]
    if not waited and not any(row.receipt for row in batch.rows):
        rows_of = [row for row in rows_of if row["what"] == "answers"]
    out = console()
    out.print(
        table((Column("", "what"), Column("", "word"), Column("messages", "count", is_number=True)), rows_of, out.width)
    )
    if failure:
        typer.echo(f"gatewayd: {failure}: with the same --state file it goes on", err=True)


def _is_good(batch: Batch, wants_receipts: bool) -> bool:
    from gatewayd.cli.batch import ACCEPTED

    return all(row.answer == ACCEPTED and (not wants_receipts or row.receipt == "DELIVRD") for row in batch.rows)
