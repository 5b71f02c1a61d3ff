"""A rule set that is named is there, links of one bot agree on it, and the folders are made absolute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

BOT = 'bot_id = "shop-bot"\n'
HOST = 'host = "smsc.example"\n'
PROVIDER = "[providers.orange]\n"
OTHER_BOT = """[links.other]
kind = "gsma"
server_root = "https://rcs.example/rcs"
bot_id = "shop-bot"
token_url = "https://rcs.example/token"
client_id = "gateway"
client_secret_file = "orange.secret"
webhook_token_file = "orange.webhook"
"""


@pytest.mark.parametrize("anchor", [BOT, HOST])
def test_a_link_of_either_kind_may_have_a_rule_set(desk: Desk, anchor: str) -> None:
    config = desk.load((anchor, f'{anchor}billing = "time2chat"\n')).config
    assert [link.billing for link in config.links.values() if link.billing] == ["time2chat"]
    assert config.billing.records_dir == "/var/lib/gatewayd/cdr"
    assert config.billing.rules_dir == ""


def test_the_folders_lie_beside_the_configuration(desk: Desk) -> None:
    (desk.folder / "rules").mkdir()
    (desk.folder / "rules" / "mine.toml").write_text("")
    table = '[billing]\nrules_dir = "rules"\nrecords_dir = "out"\n\n' + PROVIDER
    config = desk.load((PROVIDER, table), (BOT, BOT + 'billing = "mine"\n')).config
    assert config.billing.rules_dir == str(desk.folder / "rules")
    assert config.billing.records_dir == str(desk.folder / "out")


def test_a_rule_set_that_is_not_there(desk: Desk) -> None:
    faults = desk.faults((BOT, BOT + 'billing = "orange"\n'))
    assert faults == ['links.orange.billing: there is no rule set "orange"; did you mean orange_fr?']


def test_a_folder_that_is_not_there(desk: Desk) -> None:
    faults = desk.faults((PROVIDER, '[billing]\nrules_dir = "rules"\n' + PROVIDER))
    assert faults == ['billing.rules_dir: there is no folder "DIR/rules"; create it']


def test_links_of_one_bot_are_billed_alike(desk: Desk) -> None:
    change = (BOT, BOT + 'billing = "orange_fr"\n')
    faults = desk.faults(change, (PROVIDER, OTHER_BOT + PROVIDER))
    assert faults == [
        "links.orange.billing: is not what links.other.billing says for the same bot; give both the same rule set"
    ]
    assert desk.faults(change, (PROVIDER, OTHER_BOT + 'billing = "orange_fr"\n' + PROVIDER)) == []
