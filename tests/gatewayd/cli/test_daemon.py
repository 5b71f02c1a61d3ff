"""The command line: what it prints where, and with which code it ends."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

import gatewayd
from gatewayd import cli
from gatewayd.config.load import Loaded
from gatewayd.config.passwords import verify_password
from tests.gatewayd.cli.conftest import HASH, ROOT

runner = CliRunner()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def replace_module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    """Let the command import a stand-in instead of the module that would do the work."""
    module = types.ModuleType(name)
    vars(module).update(contents)
    package, _, attribute = name.rpartition(".")
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(importlib.import_module(package), attribute, module, raising=False)


def test_check_config_of_a_good_one(config: Path) -> None:
    result = runner.invoke(cli.app, ["check-config", str(config)])
    assert result.exit_code == 0
    assert result.stdout == f"{config}: good (1 account, 1 link, 1 route, 0 warnings)\n"
    assert result.stderr == ""


def test_check_config_tells_every_fault_and_warning_on_stderr(config: Path) -> None:
    change(config, "port = 2776", 'port = 99999\ntls_ca = "carrier.password"')
    change(config, '"shop.hash"  #', '"no.hash"  #')
    result = runner.invoke(cli.app, ["check-config", str(config)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"warning: {config}: links.carrier.tls_ca: has no effect while tls is off; write tls = true",
        f"{config}: links.carrier.port: 99999 is not a port; give 1 to 65535",
        (
            f'{config}: accounts.shop.password_hash_file: there is no file "{config.parent}/no.hash"; '
            "create it, or pass it as a systemd credential"
        ),
        f'{config}: links.carrier.tls_ca: "carrier.password" holds no certificates; give certificates in PEM',
        "3 faults: the gateway cannot start with this.",
    ]


def test_check_config_for_programs(config: Path) -> None:
    good = runner.invoke(cli.app, ["check-config", str(config), "--json"])
    assert (good.exit_code, json.loads(good.stdout)) == (0, {"good": True, "faults": [], "warnings": []})
    change(config, "port = 2776", 'port = 99999\ntls_ca = "carrier.password"')
    bad = runner.invoke(cli.app, ["check-config", str(config), "--json"])
    told = json.loads(bad.stdout)
    assert (bad.exit_code, told["good"], len(told["warnings"])) == (2, False, 1)
    assert told["faults"][0] == {
        "file": str(config), "key": "links.carrier.port", "problem": "99999 is not a port", "remedy": "give 1 to 65535"
    }  # fmt: skip


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_rule_set_that_cannot_be_read_is_said(config: Path, form: list[str]) -> None:
    change(config, 'password_file = "carrier.password"', 'password_file = "carrier.password"\nbilling = "mine"')
    config.write_text(f'{config.read_text()}\n[billing]\nrules_dir = "rules"\n')
    (config.parent / "rules").mkdir()
    (config.parent / "rules" / "mine.toml").write_text("x = [")
    result = runner.invoke(cli.app, ["check-config", str(config), *form])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"gatewayd: {config.parent}/rules/mine.toml: Invalid value (at end of document)\n"


def test_what_is_one_word_speaks_json_too() -> None:
    result = runner.invoke(cli.app, ["hash-password", "--json"], input="s3cret\n")
    assert verify_password("s3cret", json.loads(result.stdout)["hash"])
    told = json.loads(runner.invoke(cli.app, ["version", "--json"]).stdout)
    assert (told["gatewayd"], told["protocol"]) == (gatewayd.__version__, "pure")


def test_check_config_looks_for_credentials(config: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (config.parent / "shop.hash").rename(credentials / "shop.hash")
    assert runner.invoke(cli.app, ["check-config", str(config)]).exit_code == 2
    result = runner.invoke(cli.app, ["check-config", str(config), "--credentials", str(credentials)])
    assert result.exit_code == 0


def test_check_config_shows_what_is_in_force_without_secrets(config: Path) -> None:
    change(config, 'password_hash_file = "shop.hash"', f'password_hash = "{HASH}"')
    result = runner.invoke(cli.app, ["check-config", str(config), "--effective"])
    assert result.exit_code == 0
    assert "drain_timeout_s = 30.0\n" in result.stdout
    assert 'password_hash = "***"\n' in result.stdout
    assert "scrypt" not in result.stdout
    assert "s3cret" not in result.stdout


@pytest.mark.parametrize("arguments", [["check-config", "x.toml"], ["run", "--config", "x.toml"]])
def test_beside_a_stranger_nothing_runs(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr("gatewayd.config.house.stranger", lambda: "somebody else lives here")
    result = runner.invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert result.stderr == "gatewayd: somebody else lives here\n"


@pytest.mark.parametrize("code", [0, 1])
def test_run_hands_the_configuration_to_the_supervisor(
    config: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    seen: list[Loaded] = []

    def work(loaded: Loaded) -> int:
        seen.append(loaded)
        return code

    replace_module(monkeypatch, "gatewayd.supervisor", run=work)
    assert runner.invoke(cli.app, ["run", "--config", str(config)]).exit_code == code
    assert seen[0].path == config


def test_run_refuses_a_broken_configuration(tmp_path: Path) -> None:
    result = runner.invoke(cli.app, ["run", "--config", str(tmp_path / "no.toml")])
    assert result.exit_code == 2
    assert "cannot be read (No such file or directory)" in result.stderr


@pytest.mark.parametrize("line", ["s3cret", "s3cret\n", "s3cret\r\n", "s3cret\nmore"])
def test_hash_password_reads_a_line(line: str) -> None:
    result = runner.invoke(cli.app, ["hash-password"], input=line)
    assert result.exit_code == 0
    assert verify_password("s3cret", result.stdout.strip())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("\n", "the password is empty"),
        ("s3cret234\n", "the password has 9 characters; SMPP allows 8 at most"),
        ("sécret\n", "the password has characters that are not printable ASCII; agree on another one"),
    ],
)
def test_hash_password_refuses_what_no_bind_can_carry(line: str, sentence: str) -> None:
    result = runner.invoke(cli.app, ["hash-password"], input=line)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"gatewayd: {sentence}\n"


def test_hash_password_takes_a_long_one_only_if_told_so() -> None:
    result = runner.invoke(cli.app, ["hash-password", "--long"], input="a longer secret\n")
    assert result.exit_code == 0
    assert verify_password("a longer secret", result.stdout.strip())
    assert runner.invoke(cli.app, ["hash-password", "--long"], input="x" * 65).exit_code == 2
    assert runner.invoke(cli.app, ["hash-password", "--long"], input="\n").exit_code == 2


@pytest.mark.parametrize(("second", "code"), [("s3cret", 0), ("s3crit", 2)])
def test_hash_password_asks_twice_at_a_terminal(monkeypatch: pytest.MonkeyPatch, second: str, code: int) -> None:
    answers = iter(["s3cret", second])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    monkeypatch.setattr("gatewayd.cli.daemon._is_terminal", lambda: True)
    result = runner.invoke(cli.app, ["hash-password"])
    assert result.exit_code == code
    assert "s3c" not in result.output


def test_hash_password_takes_none_from_its_arguments() -> None:
    assert runner.invoke(cli.app, ["hash-password", "s3cret"]).exit_code == 2


def test_version() -> None:
    assert runner.invoke(cli.app, ["version"]).stdout.startswith(f"gatewayd {gatewayd.__version__} (Python 3.")


@pytest.mark.parametrize(
    ("line", "handed_over"),
    [
        ("smsc", ("127.0.0.1:2776", None, "smsc", "secret", "", 0.0)),
        (
            "smsc --listen [::1]:0 --rules r --system-id x --password y --message-ids hex --receipt-delay-s 2",
            ("[::1]:0", Path("r"), "x", "y", "hex", 2.0),
        ),
        (
            "rcs",
            (
                *("127.0.0.1:8081", "http://127.0.0.1:8080/rcs/orange", "secret", "gateway", "secret"),
                *(None, 0, "standard", None, False),
            ),
        ),
        (
            "rcs --listen a:1 --webhook b --webhook-token c --client-id d --client-secret e --quota-per-minute 7",
            ("a:1", "b", "c", "d", "e", None, 7, "standard", None, False),
        ),
        (
            "rcs --listen a:1 --webhook b --webhook-token c --dialect orange --bot-key k --bot-exchange --rules r",
            ("a:1", "b", "c", "gateway", "secret", Path("r"), 0, "orange", Path("k"), True),
        ),
        (
            "rbm",
            ("127.0.0.1:8082", "http://127.0.0.1:8080/rcs/google", "secret", Path("rbm-key.json"), None, 0),
        ),
        (
            "rbm --listen a:1 --webhook b --client-token c --key-file k --rules r --quota-per-s 7",
            ("a:1", "b", "c", Path("k"), Path("r"), 7),
        ),
        (
            "esme --to 336001 --to 336002 --password-file p --text f",
            ("127.0.0.1:2775", "shop", Path("p"), "SHOP", ["336001", "336002"], "f", 1, 0.0, 10.0),
        ),
        (
            "esme --connect a:1 --system-id b --password-file c --source d --to e --count 2 --rate 3 --wait-s 4",
            ("a:1", "b", Path("c"), "d", ["e"], "Hello", 2, 3.0, 4.0),
        ),
    ],
)
def test_simulators_get_their_options(
    monkeypatch: pytest.MonkeyPatch, line: str, handed_over: tuple[object, ...]
) -> None:
    calls: list[tuple[object, ...]] = []
    command, *options = line.split()
    replace_module(monkeypatch, f"gatewayd.simulate.{command}", run_command=lambda *given: calls.append(given))
    assert runner.invoke(cli.app, ["simulate", command, *options]).exit_code == 0
    assert calls == [handed_over]


@pytest.mark.parametrize(
    "line", ["smsc --listen 2775", "rcs --listen x", "rbm --listen x", "esme --connect :1 --to 336 --password-file p"]
)
def test_a_simulator_needs_an_address(line: str) -> None:
    result = runner.invoke(cli.app, ["simulate", *line.split()], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "is not an address; write 127.0.0.1:2775 or [::1]:2775" in result.stderr


def test_a_simulator_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise OSError("address already in use")

    replace_module(monkeypatch, "gatewayd.simulate.smsc", run_command=fail)
    result = runner.invoke(cli.app, ["simulate", "smsc"])
    assert result.exit_code == 2
    assert result.stderr == "gatewayd: address already in use\n"


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["check-config"],
        ["hash-password"],
        ["simulate", "smsc"],
        ["simulate", "rcs"],
        ["simulate", "rbm"],
        ["simulate", "esme"],
    ],
    ids=" ".join,
)
def test_every_command_documents_its_exit_codes(command: list[str]) -> None:
    result = runner.invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert "Exit codes: 0 " in result.stdout


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatewayd", "version"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("gatewayd ")
