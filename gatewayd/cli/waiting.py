"""``gatewayd queue``: the messages that have not met their fate, and what a person may do with them.

What becomes of a message is the daemon's to say; here it is chosen, asked for and counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewayd.cli.calls import acted, daemon, listed, mind_silent, print_json, show_rows
from gatewayd.cli.conventions import (
    DEFAULT_CONFIG,
    FAILED,
    AsJson,
    Config,
    Limit,
    Reveal,
    Socket,
    confirm,
    counted,
    refuse,
)
from gatewayd.cli.tables import Column, age, moment

COLUMNS = (
    Column("message", "id"),
    Column("account", "account"),
    Column("handset", "handset"),
    Column("link", "link"),
    Column("stage", "stage"),
    Column("age", "age", is_number=True),
    Column("tries", "attempts", is_number=True, is_spare=True),
    Column("lane", "lane", is_number=True, is_spare=True),
    Column("class", "class", is_spare=True),
    Column("next", "next", is_spare=True),
)

app = typer.Typer(help="The messages that wait: list, hold, release, cancel, requeue.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(help="Message ids, as in submit_sm_resp.")]
Link = Annotated[str, typer.Option("--link", "-l", help="Those whose turn is on this link.")]
Account = Annotated[str, typer.Option("--account", "-a", help="Those of this account.")]
Class = Annotated[str, typer.Option("--class", help="Those of this traffic class.")]
Stage = Annotated[
    str,
    typer.Option(
        help="joining, queued, postponed, scheduled, checking or held; also sending, sent, revoking, settling."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]


@app.command("list")
def list_command(
    ids: Ids = None,
    link: Link = "",
    account: Account = "",
    traffic_class: Class = "",
    stage: Stage = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what was sent and waits for its receipt.")] = False,
    limit: Limit = 50,
    reveal: Reveal = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that wait, the oldest first.

    joining waits for its other parts, queued for its turn, postponed for its next try, scheduled for the time that its
    sender named, checking for a platform's word on the handset, held for you.

    Example: `gatewayd queue list --link carrier --stage postponed`

    Exit codes: 0 shown; 1 none of the ids is known; 2 a filter is wrong; 3 the daemon is not running, or does not
    answer; 4 this user may not ask, or may not see numbers; 5 a worker did not answer.
    """
    filters = {"link": link, "account": account, "class": traffic_class, "stage": stage, "all": everything}
    with daemon(config, socket) as client:
        if ids:
            answer = _together([listed(client, "queue", 1, id=one, reveal=reveal) for one in ids])
        else:
            answer = listed(client, "queue", limit, reveal=reveal, **filters)
    show_rows(answer, COLUMNS, _row, limit, as_json=as_json)
    if ids and not answer["rows"]:
        raise typer.Exit(FAILED)


def _together(answers: list[dict[str, Any]]) -> dict[str, Any]:
    silent = sorted({slot for answer in answers for slot in answer["silent"]})
    return {"rows": [row for answer in answers for row in answer["rows"]], "more": False, "silent": silent}


def _row(message: dict[str, Any]) -> dict[str, Any]:
    stage = f"{message['stage']}, cancelled" if message["is_cancelled"] else message["stage"]
    return message | {"age": age(message["age_s"]), "stage": stage, "next": moment(message["due"])}


@app.command()
def hold(
    ids: Ids = None,
    link: Link = "",
    account: Account = "",
    traffic_class: Class = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Hold messages back until they are released. What comes later is not held: for that, pause a link.

    Only what waits can be held. Validity periods run, and a message whose validity is over is EXPIRED, held or not.
    It stays held over restarts. One that is scheduled keeps its time.

    Example: `gatewayd queue hold --account shop`

    Exit codes: 0 done; 1 nothing could be held; 2 nothing was named; 3 the daemon is not running, or does not answer;
    4 this user may not ask; 5 a worker did not answer.
    """
    chosen = _chosen(ids, link, account, traffic_class, everything)
    _act("hold", "held", chosen, config, socket, as_json)


@app.command()
def release(
    ids: Ids = None,
    link: Link = "",
    account: Account = "",
    traffic_class: Class = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything that is held.")] = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let held messages go. One that is scheduled goes at its time, or now if that has passed.

    Example: `gatewayd queue release --account shop`

    Exit codes: 0 done; 1 nothing was held; 2 nothing was named; 3 the daemon is not running, or does not answer; 4
    this user may not ask; 5 a worker did not answer.
    """
    chosen = [one | {"stage": "held"} for one in _chosen(ids, link, account, traffic_class, everything)]
    _act("release", "released", chosen, config, socket, as_json)


@app.command()
def cancel(
    ids: Ids = None,
    link: Link = "",
    account: Account = "",
    traffic_class: Class = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what was sent and waits for its receipt.")] = False,
    yes: Yes = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Take messages back for good: applications that want receipts get DELETED.

    What an RCS platform has is revoked; if it was delivered already, the receipt says DELIVRD. What an SMS carrier has
    cannot be taken back. Several messages at once are asked for once more.

    Example: `gatewayd queue cancel 68854a6b54001`

    Exit codes: 0 done; 1 nothing could be cancelled; 2 nothing was named, or you said no; 3 the daemon is not running,
    or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    chosen = _chosen(ids, link, account, traffic_class, everything)
    if not ids and not yes:
        confirm("Cancel all messages that this names?")
    _act("cancel", "cancelled", chosen, config, socket, as_json)


@app.command()
def requeue(
    ids: Ids = None,
    link: Link = "",
    account: Account = "",
    traffic_class: Class = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Route waiting messages anew, as if they came now: by the routes in force, without their tries so far.

    Postponed ones wait no longer, held ones are let go. Scheduled ones are routed at their time, and not before.

    Example: `gatewayd queue requeue --link carrier`

    Exit codes: 0 done; 1 nothing could be routed anew; 2 nothing was named; 3 the daemon is not running, or does not
    answer; 4 this user may not ask; 5 a worker did not answer.
    """
    chosen = _chosen(ids, link, account, traffic_class, everything)
    _act("requeue", "routed anew", chosen, config, socket, as_json)


def _chosen(
    ids: list[str] | None, link: str, account: str, traffic_class: str, everything: bool
) -> list[dict[str, Any]]:
    """One question for each id, or one for all that is named otherwise."""
    if ids:
        return [{"id": one} for one in ids]
    if not (link or account or traffic_class or everything):
        refuse("name messages, or some of --link, --account, --class, or --all")
    return [{"link": link, "account": account, "class": traffic_class, "all": everything}]


def _act(what: str, word: str, chosen: list[dict[str, Any]], config: Path, socket: Path | None, as_json: bool) -> None:
    with daemon(config, socket) as client:
        answers = [acted(client, what, **one) for one in chosen]
    sums = {key: sum(answer.get(key, 0) for answer in answers) for key in ("changed", "under_way", "too_late")}
    silent = sorted({slot for answer in answers for slot in answer["silent"]})
    if as_json:
        print_json(sums | {"silent": silent})
    else:
        typer.echo(sentence(word, sums))
    mind_silent({"silent": silent})
    if not sums["changed"] and not (what == "cancel" and sums["under_way"]):
        raise typer.Exit(FAILED)


def sentence(word: str, sums: dict[str, int]) -> str:
    """What was done, and what could not be."""
    words = [f"{counted(sums['changed'], 'message')} {word}"]
    if sums["under_way"]:
        words.append(
            f"{sums['under_way']} under way" + (", to be cancelled if it can be" if word == "cancelled" else "")
        )
    if sums["too_late"]:
        words.append(f"{sums['too_late']} not waiting")
    return "; ".join(words)
