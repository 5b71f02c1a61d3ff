"""What README.md tells newcomers to type: the commands are there, and the example meets the simulators."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.cli import simulate
from gatewayd.config import schema

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.search(r"## Try it without a carrier\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
assert SECTION
COMMANDS = [
    words[words.index("gatewayd") + 1 :]
    for line in SECTION[1].splitlines()
    if line.startswith("    ") and "gatewayd" in (words := shlex.split(line, comments=True))
]


def test_both_platforms_are_shown() -> None:
    shown = {words[1] for words in COMMANDS if words[0] == "simulate"}
    assert shown == {"smsc", "rcs", "rbm", "esme"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_has_the_options_that_are_given(words: list[str]) -> None:
    command = words[:2] if words[0] == "simulate" else words[:1]
    done = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert [word for word in words if word.startswith("--") and word not in done.output] == []


def test_the_example_meets_the_simulators_where_they_are() -> None:
    example = msgspec.toml.decode((ROOT / "conf/examples/try-it.toml").read_bytes(), type=schema.Config)
    for name, simulator in (("orange", simulate.simulate_rcs), ("google", simulate.simulate_rbm)):
        defaults = {key: value.default for key, value in inspect.signature(simulator).parameters.items()}
        assert example.links[name].server_root == f"http://{defaults['listen']}"
        assert defaults["webhook"] == f"http://{example.webhooks.listen}/rcs/{name}"
    carrier = example.links["carrier"]
    assert inspect.signature(simulate.simulate_smsc).parameters["listen"].default == f"{carrier.host}:{carrier.port}"
    assert inspect.signature(simulate.simulate_rbm).parameters["key_file"].default.name == (
        example.links["google"].service_account_file
    )
