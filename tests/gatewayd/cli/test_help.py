"""Every command has one help page, which tells its exit codes; those that ask the daemon speak JSON, and find it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from gatewayd import cli

ROOT = Path(__file__).parents[3]
runner = CliRunner()
WITHOUT_CODES = {"version"}
OFFLINE = (("accounts", "add"), ("accounts", "key"))
ASKING = ("status", "top", "accounts", "binds", "links", "queue", "outbox", "sessions", "reload", "drain", "backup")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that do something: commands, and groups that list when nothing else is said."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield (*path, name), command
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(typer.main.get_command(cli.app)))


def given(path: tuple[str, ...]) -> list[str]:
    """What a command cannot do without."""
    match path:
        case ("backup",):
            return ["/nowhere"]
        case ("top",):
            return ["--json"]
        case ("links", _) | ("outbox", "replay"):
            return ["name"]
        case ("accounts", "unlock"):
            return ["shop"]
        case ("binds", "kick"):
            return ["0-1"]
        case ("queue", "hold" | "release" | "requeue"):
            return ["--all"]
        case ("queue", "cancel"):
            return ["--all", "--yes"]
        case ("outbox", "drop"):
            return ["shop", "--yes"]
        case ("outbox", "dead", "replay"):
            return ["shop"]
    return []


@pytest.mark.parametrize("path", [path for path in ALL if not ALL[path].hidden], ids=" ".join)
def test_every_page_has_an_example_that_could_be_typed(path: tuple[str, ...]) -> None:
    found = re.search("Example: `([^`]+)`", ALL[path].callback.__doc__ or "")
    assert found
    program, *words = shlex.split(re.split(" [<>] ", found[1])[0])
    assert (program, tuple(words[: len(path)])) == ("gatewayd", path)
    command = ALL[path]
    parser = command.make_parser(command.context_class(command, resilient_parsing=True))
    values, left, _ = parser.parse_args(words[len(path) :])
    missing = [parameter.name for parameter in command.params if parameter.required and not values.get(parameter.name)]
    assert (missing, left) == ([], [])


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_a_page_with_its_exit_codes(path: tuple[str, ...]) -> None:
    result = runner.invoke(cli.app, [*path, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert path[-1] in WITHOUT_CODES or "Exit codes: 0 " in result.stdout


def options_of(path: tuple[str, ...]) -> set[str]:
    return {option for parameter in ALL[path].params for option in parameter.opts}


def test_all_that_show_something_speak_json() -> None:
    """But for those that run until they are stopped; a replay's records are JSON in any case."""
    silent = {path for path in ALL if path[0] in ("run", "worker", "simulate")} | {("billing", "replay")}
    assert {path for path in ALL if "--json" not in options_of(path)} == silent


def test_what_is_asked_of_a_daemon_or_of_its_files_finds_both() -> None:
    assert {"--json", "--config", "--socket"} <= options_of(("trace",))
    assert {"--config", "--socket"} <= options_of(("mask",))


@pytest.mark.parametrize("path", [path for path in ALL if path[0] in ASKING and path not in OFFLINE], ids=" ".join)
def test_who_asks_the_daemon_speaks_json_and_finds_its_socket(path: tuple[str, ...]) -> None:
    assert {"--json", "--config", "--socket"} <= options_of(path)


@pytest.mark.parametrize("path", [path for path in ALL if path[0] in ASKING and path[:2] not in OFFLINE], ids=" ".join)
def test_where_there_is_no_daemon_the_code_says_so(path: tuple[str, ...], tmp_path: Path) -> None:
    result = runner.invoke(cli.app, [*path, *given(path), "--socket", str(tmp_path / "no.sock")])
    assert result.exit_code == 3, result.output
    assert "the daemon is not running" in result.output


def test_all_commands_are_in_their_page() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [" ".join(path) for path in ALL if path[0] in ASKING and f"`{' '.join(path)}" not in page] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gatewayd out", ["outbox"]),
        ("gatewayd queue ", ["list", "hold", "release", "cancel", "requeue"]),
        ("gatewayd outbox drop --s", ["--sink", "--socket"]),
    ],
)
def test_the_shell_completes_commands_and_options(line: str, words: list[str]) -> None:
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_GATEWAYD_COMPLETE": "complete_bash"}
    result = runner.invoke(cli.app, [], prog_name="gatewayd", env=typed)
    assert result.stdout.split() == words
