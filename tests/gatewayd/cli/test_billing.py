"""What an administrator types: reports in three forms, replays, comparisons, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatewayd.billing.record_files import RecordFiles
from gatewayd.cli import app
from gatewayd.policy.billing import Record
from gatewayd.store.records import Cdr

START_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z
HOUR_MS = 3_600_000


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["billing", *words], input=stdin, env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = RecordFiles(tmp_path / "cdr", 1_000)
    files.prepare()
    for sequence, (name, account, hours, is_free) in enumerate(
        [
            ("single_message", "shop", 0, False),
            ("single_message", "shop", 1, False),
            ("conversation", "bank", 2, False),
            ("free_conversation", "bank", 40, True),
        ],
        start=1,
    ):
        start_ms = START_MS + hours * HOUR_MS
        record = Record(
            name, start_ms, "orange_fr", "1", account=account, is_free=is_free, mt_count=2, mo_count=1, credits=1.5
        )
        files.append([Cdr(0, sequence, "bot", "33612345678", record)])
    return tmp_path / "cdr"


def test_a_report_as_csv(folder: Path) -> None:
    done = run("report", "--records", str(folder), "--csv")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "account,agent,class,records,free,mt,mo,segments,credits",
        "bank,bot,conversation,1,0,2,1,0,1.5",
        "bank,bot,free_conversation,1,1,2,1,0,1.5",
        "shop,bot,single_message,2,0,4,2,0,3",
    ]


def test_a_report_of_a_time_as_json(folder: Path) -> None:
    period = ("--from", "2026-03-01T13:00:00Z", "--to", "2026-03-02")
    done = run("report", "--records", str(folder), "--by", "day,account", "--json", *period)
    rows = json.loads(done.stdout)
    assert [(row["day"], row["account"], row["records"]) for row in rows] == [
        ("2026-03-01", "bank", 1),
        ("2026-03-01", "shop", 1),
    ]


def test_a_report_as_a_table(folder: Path) -> None:
    done = run("report", "--records", str(folder), "--by", "month")
    assert "2026-03" in done.stdout
    assert "total" in run("report", "--records", str(folder)).stdout
    assert run("report", "--records", str(folder), "--to", "2020-01-01").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "price"), "price is no way to group; there are account, agent"),
        (("--by", ","), "nothing is no way to group"),
        (("--from", "soon"), "'soon' is no date or time"),
        (("--json", "--csv"), "choose --json or --csv"),
    ],
)
def test_a_report_that_cannot_be(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = run("report", "--records", str(folder), *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_records_are_where_the_configuration_says(tmp_path: Path) -> None:
    done = run("report", "--config", str(tmp_path / "none.toml"))
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr
    assert "--records" in done.stderr
    done = run("report", "--records", str(tmp_path / "nowhere"))
    assert "there are no records; see billing.records_dir" in done.stderr


def test_a_replay(tmp_path: Path) -> None:
    events = '{"t": 0, "agent": "a", "user": "u", "kind": "mt", "id": "M1"}\n'
    (tmp_path / "events.jsonl").write_text(events)
    done = run("replay", str(tmp_path / "events.jsonl"), "--rules", "orange_fr")
    assert done.exit_code == 0
    assert [json.loads(line)["class"] for line in done.stdout.splitlines()] == ["single_message"]
    (tmp_path / "mine.toml").write_text(
        '[[versions]]\nversion = "1"\nvalid_from = 2026-01-01\n[versions.classes]\nsingle = "mine"\n'
    )
    for rules in (("--rules", str(tmp_path / "mine.toml")), ("--rules", "mine", "--rules-dir", str(tmp_path))):
        assert json.loads(run("replay", "-", *rules, stdin=events).stdout)["class"] == "mine"


@pytest.mark.parametrize(
    ("rules", "stdin", "said"),
    [("nowhere", "", "there is no rule set 'nowhere'; there are google_std"), ("infobip", "{", "line 1: ")],
)
def test_a_replay_that_cannot_be(rules: str, stdin: str, said: str) -> None:
    done = run("replay", "-", "--rules", rules, stdin=stdin)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_comparison(folder: Path, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("class,count\nsingle,2\nconversation,1\n")
    done = run("reconcile", str(invoice), "--records", str(folder))
    assert done.exit_code == 0
    assert done.stdout == "3 invoiced, 3 recorded as payable, 3 agree, 0 differences\n"
    invoice.write_text("class,user,start\nsingle,33612345678,2026-03-01T12:00:00\nx,1,2026-03-01T12:00:00\n")
    done = run("reconcile", str(invoice), "--records", str(folder), "--to", "2026-03-01T13:00:00Z")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "line 3: x 1 2026-03-01T12:00:00+00:00: not in our records",
        "2 invoiced, 1 recorded as payable, 1 agree, 1 differences",
    ]
    found = json.loads(run("reconcile", str(invoice), "--records", str(folder), "--json").stdout)
    assert [difference["kind"] for difference in found["differences"]] == [
        "not_recorded",
        "not_invoiced",
        "not_invoiced",
    ]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("a\n", (), "no column is the class"),
        ("class,count\n", ("--zone", "Nowhere/At"), "there is no time zone"),
        (None, (), "No such file"),
    ],
)
def test_a_comparison_that_cannot_be(
    folder: Path, tmp_path: Path, text: str | None, words: tuple[str, ...], said: str
) -> None:
    if text is not None:
        (tmp_path / "invoice.csv").write_text(text)
    done = run("reconcile", str(tmp_path / "invoice.csv"), "--records", str(folder), *words)
    assert done.exit_code == 2
    assert said in done.stderr
