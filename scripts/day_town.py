"""What surrounds the daemon on a day in real time: its configuration, and the carrier's and the platform's habits.

Two bots share a provider's quota: one asks whom it can reach, the other tries.
"""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
from chaos_gateway import PASSWORD, LinkPlan, Plan, free_port
from day_application import SOURCE

from gatewayd.config.passwords import hash_password
from gatewayd.simulate import behaviour as sms
from gatewayd.simulate.population import UNREACHED, Pace, Population, kinds
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_webhooks import WebhookPolicy
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits

SECRET = "day-secret"
BOTS = ("asked", "bold")
PER_MINUTE, PER_SECOND = 1_800, 30
REQUEST_TIMEOUT_S = 5.0
CARRIER_WINDOW = 100
RECORDS_MAX = 10_000_000

_ACCOUNTS = """
[accounts.shop]
password_hash = "{hash}"
rate_per_s = 0
binds_max = 8
numbers = ["{source}"]
outbox_depth_max = 1000000

[accounts.otp]
password_hash = "{hash}"
rate_per_s = 0
binds_max = 8
traffic_class = "otp"
outbox_depth_max = 1000000

[webhooks]
listen = "127.0.0.1:{webhook_port}"

[billing]
records_dir = "{place}/cdr"
rules_dir = "{place}/rules"

[providers.operator]
per_minute = {per_minute}
per_second = {per_second}
guard_errors = ["41200"]
pause_s = {pause_s}
ramp_double_s = {ramp_double_s}
"""

_BOT = """
[links.{bot}]
kind = "gsma"
provider = "operator"
server_root = "{platform}/rcs"
bot_id = "{bot}"
token_url = "{platform}/oauth2/v1/token"
client_id = "gateway"
client_secret_file = "{place}/platform.secret"
webhook_token_file = "{place}/platform.secret"
capability = "{capability}"
billing = "day"
request_timeout_s = {request_timeout_s}
deadline_s = {deadline_s}

[[routes]]
links = ["{bot}", "carrier"]
prefixes = ["{prefix}"]
"""

# Conversations of a minute: those of a day would outlast the run.
_RULES = """
[[versions]]
version = "1"
valid_from = 2021-10-01
bill_on = "delivered"
reply_window_h = {reply_h}
session_h = {session_h}
absorb = "last"
basic_class = false
mo_reply_window_h = {reply_h}
mo_session_h = {session_h}
mo_anchor = "last_mo"
mo_alone = "free"
count_action_tap = true
count_stop = true
reply_at_limit_counts = true
session_holds_at_end = false
settle_s = {settle_s}

[versions.classes]
single = "single_message"
mt_first = "conversation"
mo_first = "free_conversation"
"""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is slow takes, in seconds."""

    deadline_s: float = 300.0
    late_s: float = 40.0
    pause_s: float = 60.0
    ramp_double_s: float = 10.0
    fail_s: float = 5.0
    outage_s: float = 5.0
    reply_s: float = 15.0
    session_s: float = 60.0

    @property
    def settle_s(self) -> float:
        """After so long no event comes any more."""
        return self.late_s * 1.5

    @property
    def billed_s(self) -> float:
        """After so long the last record is written."""
        return self.session_s + self.settle_s

    @property
    def pace(self) -> Pace:
        """The same for the handsets."""
        return Pace(late_s=self.late_s, after_deadline_s=self.deadline_s * 5 / 3)


BRIEF = Times(
    deadline_s=6.0, late_s=3.0, pause_s=1.0, ramp_double_s=0.3, fail_s=1.0, outage_s=0.5, reply_s=2.0, session_s=3.0
)


def platform_of(times: Times) -> RcsPlatform:
    """The operator's platform with its handsets."""
    options = Options(
        root="/rcs",
        client_id="gateway",
        client_secret=SECRET,
        quota_per_minute=PER_MINUTE,
        quota_per_s=PER_SECOND,
        webhooks=WebhookPolicy(workers=16, attempts=20, backoff_s=0.5, backoff_max_s=5.0),
        records_max=RECORDS_MAX,
    )
    return RcsPlatform(options, Population(kinds=kinds(times.pace)))


def smsc() -> Smsc:
    """The SMS carrier: some handsets are off, and every tenth receipt comes twice."""
    rules = (
        sms.Rule(destination=f".*{UNREACHED}", receipt_state="UNDELIV", receipt_error="001"),
        sms.Rule(destination=".*7", receipt_copies=2),
    )
    habits = sms.Behaviour(rules=rules, receipt_delay_s=1.0, redeliver_s=0.2, redeliveries_max=1_000)
    return Smsc(habits, system_id="carrier", password=PASSWORD, limits=Limits(window=CARRIER_WINDOW))


def rules_of(times: Times) -> str:
    """How the operator bills."""
    hours = {"reply_h": times.reply_s / 3_600, "session_h": times.session_s / 3_600}
    return _RULES.format(settle_s=times.settle_s, **hours)


def plan_of(place: Path, workers: int, carrier_port: int, platform: str, times: Times) -> tuple[Plan, int]:
    """The daemon's configuration, and the port of its webhooks."""
    secret = place / "platform.secret"
    secret.write_text(SECRET, encoding="ascii")
    secret.chmod(0o600)
    (place / "rules").mkdir()
    (place / "rules" / "day.toml").write_text(rules_of(times), encoding="utf-8")
    webhook_port = free_port()
    facts = {
        "place": place,
        "platform": platform,
        "webhook_port": webhook_port,
        "per_minute": PER_MINUTE,
        "per_second": PER_SECOND,
        "request_timeout_s": REQUEST_TIMEOUT_S,
        "hash": hash_password(PASSWORD, random.SystemRandom()),
        "source": SOURCE,
        **msgspec.structs.asdict(times),
    }
    extra = _ACCOUNTS.format(**facts)
    for bot, capability, prefix in zip(BOTS, ("query", "assume"), ("3361", "3362"), strict=True):
        extra += _BOT.format(bot=bot, capability=capability, prefix=prefix, **facts)
    # The route that a link brings along is for nobody.
    carrier = LinkPlan("carrier", carrier_port, "99", CARRIER_WINDOW, workers)
    return Plan(workers, (carrier,), accounts=(), extra=extra), webhook_port
