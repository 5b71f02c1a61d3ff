"""Every configuration key with its type, bounds and default, as frozen records. Reads nothing and checks nothing.

The two large tables have files of their own, account_schema and link_schema; values says what a value may be.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gatewayd.config.account_schema import Account, ApiKey, SourceRule
from gatewayd.config.link_schema import FOREIGN_LINK_KEYS, Link
from gatewayd.config.values import (
    ApiCall,
    BatchSize,
    Concurrency,
    Count,
    CountOrNone,
    FileOctets,
    Host,
    Hours,
    HoursOrOff,
    Keepalive,
    Listen,
    Milliseconds,
    Name,
    Network,
    Octets,
    Pattern,
    Port,
    Prefix,
    Product,
    RateOrNone,
    Seconds,
    SecondsOrOff,
    Share,
    ShareOrNone,
    SystemId,
    Table,
    Text,
    TopicPrefix,
    UnknownPolicy,
    Url,
    Window,
    Word,
    Workers,
)

__all__ = [
    "Account",
    "ApiKey",
    "Application",
    "Billing",
    "Config",
    "Control",
    "Daemon",
    "Endpoint",
    "FOREIGN_LINK_KEYS",
    "History",
    "Http",
    "Link",
    "Log",
    "Metrics",
    "Mqtt",
    "Numbers",
    "Parts",
    "Provider",
    "Rcs",
    "Route",
    "Sessions",
    "SmppServer",
    "SourceRule",
    "Store",
    "Webhooks",
]


class Daemon(Table, frozen=True, kw_only=True):
    """The process itself."""

    spool_dir: str = "/var/lib/gatewayd"
    runtime_dir: str = "/run/gatewayd"
    workers: Workers | Literal["auto"] = 1
    worker_silence_s: Seconds = 10.0
    drain_timeout_s: SecondsOrOff = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


class Log(Table, frozen=True, kw_only=True):
    """What commands may show. The log itself never shows a whole number."""

    reveal: bool = False


class History(Table, frozen=True, kw_only=True):
    """What is kept of messages that have met their fate, for gatewayd trace. A ``keep_h`` of 0 keeps nothing."""

    keep_h: HoursOrOff = 72.0
    text_h: HoursOrOff = 0.0
    size_max: FileOctets = 10_737_418_240


class Control(Table, frozen=True, kw_only=True):
    """The control socket, control.sock in daemon.runtime_dir. An empty ``group``: root and the daemon's user alone."""

    group: Word = ""


class Metrics(Table, frozen=True, kw_only=True):
    """The Prometheus endpoint; an empty ``listen`` turns it off."""

    listen: Listen = "127.0.0.1:9464"


class Store(Table, frozen=True, kw_only=True):
    """The embedded store's bounds."""

    group_wait_ms: Milliseconds = 2.0
    pending_max: Count = 20_000
    fold_entries: Count = 50_000
    check_at_start: Literal["quick", "full", "off"] = "quick"


class SmppServer(Table, frozen=True, kw_only=True):
    """The SMPP listener for legacy senders, and what any stranger is allowed there."""

    listen: tuple[Listen, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[Listen, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    proxy_networks: tuple[Network, ...] = ()
    system_id: SystemId = "gatewayd"
    pdu_size_max: Octets = 65_536
    connections_max: Count = 1_000
    session_init_timeout_s: Seconds = 10.0
    enquire_interval_s: Seconds = 30.0
    inactivity_timeout_s: SecondsOrOff = 0.0
    response_timeout_s: Seconds = 30.0
    window: Window = 1_000
    lockout_failures: CountOrNone = 10
    lockout_window_s: Seconds = 60.0
    lockout_s: Seconds = 300.0
    default_messages: dict[str, Text] = msgspec.field(default_factory=dict)


class Parts(Table, frozen=True, kw_only=True):
    """Joining long messages: how long to wait for missing parts and how many messages may be incomplete."""

    join_timeout_s: Seconds = 60.0
    incomplete_max: Count = 10_000


class Sessions(Table, frozen=True, kw_only=True):
    """MO correlation."""

    window_h: Hours = 24.0


class Numbers(Table, frozen=True, kw_only=True):
    """What is known of the operators of numbers. An empty path is a file that is not used."""

    ported: str = "/var/lib/gatewayd/ported"
    prefixes: str = ""
    names: str = ""


class Billing(Table, frozen=True, kw_only=True):
    """Billing records of links with ``billing``. An empty ``records_dir`` is ``cdr`` in daemon.spool_dir."""

    records_dir: str = ""
    file_size_max: FileOctets = 67_108_864
    table: bool = True
    rules_dir: str = ""


class Rcs(Table, frozen=True, kw_only=True):
    """What RCS links have in common. An empty ``templates_dir``: every message goes as the text it is.

    ``media_dir`` holds the files that templates name (``file:NAME``); empty: there are none.
    """

    templates_dir: str = ""
    media_dir: str = ""


class Endpoint(Table, frozen=True, kw_only=True):
    """Where the webhooks of accounts with the sink webhook are posted."""

    url: Url
    secret_file: str
    concurrency: Concurrency = 8
    timeout_s: Seconds = 15.0
    tls_ca: str = ""
    allow_private: bool = False


class Provider(Table, frozen=True, kw_only=True):
    """One operator's platform: what holds for all of its applications, and how each of them is guarded.

    Without tables [applications.NAME] under it, it is its only application (Orange: 1800 a minute for all bots).
    """

    per_minute: CountOrNone = 0
    per_second: CountOrNone = 0
    rate_per_s: RateOrNone = 0.0
    burst: Count = 1
    headroom: ShareOrNone = 0.05
    counted: tuple[ApiCall, ...] = ("message", "capability", "revoke")
    pause_s: Seconds = 60.0
    ramp_start: Share = 0.1
    ramp_double_s: Seconds = 10.0
    guard: bool = True
    guard_warn: Share = 0.05
    guard_known_only: Share = 0.08
    guard_stop: Share = 0.12
    guard_ratio_max: Share = 0.15
    guard_sample_min: Count = 200
    guard_window_h: Hours = 24.0
    guard_comeback: Share = 0.75
    guard_stop_s: Seconds = 900.0
    guard_hold_s: SecondsOrOff = 15.0
    guard_errors: tuple[Word, ...] = ()


class Application(Table, frozen=True, kw_only=True):
    """One of several applications at a provider, with a quota, pauses and a guard of its own."""

    provider: str
    per_minute: CountOrNone = 0
    per_second: CountOrNone = 0
    rate_per_s: RateOrNone = 0.0
    burst: Count = 1


class Webhooks(Table, frozen=True, kw_only=True):
    """The listener for RCS platforms: POST /rcs/LINK. An empty ``listen`` turns it off."""

    listen: Listen = ""
    tls_certificate: str = ""
    tls_key: str = ""
    body_size_max: Octets = 262_144


class Http(Table, frozen=True, kw_only=True):
    """The listener of the HTTP API for applications; without an address it is off."""

    listen: tuple[Listen, ...] = ()
    tls_listen: tuple[Listen, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    body_size_max: Octets = 4_194_304
    batch_max: BatchSize = 5_000
    connections_max: Count = 1_000
    request_timeout_s: Seconds = 30.0
    results_h: HoursOrOff = 24.0
    idempotency_h: Hours = 24.0
    ready_without_links: bool = False
    compatible: tuple[Product, ...] = ()
    kannel_queued: bool = False


class Mqtt(Table, frozen=True, kw_only=True):
    """The MQTT broker that accounts are served over; an empty ``host`` turns it off."""

    host: Host = ""
    port: Port = 1883
    tls: bool = False
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    username: str = ""
    password_file: str = ""
    client_id: Name = "gatewayd"
    topic_prefix: TopicPrefix = "gatewayd"
    version: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: Keepalive = 30
    window: Window = 100
    receive_window: Window = 100
    message_size_max: Octets = 262_144
    session_h: Hours = 72.0
    over_rate: Literal["wait", "refuse"] = "wait"


class Route(Table, frozen=True, kw_only=True):
    """One rule: every condition given must hold; the first rule that matches decides. ``*`` ends a prefix."""

    links: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    senders: tuple[Pattern, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    classes: tuple[Word, ...] = ()
    on_unknown: UnknownPolicy | None = None


class Config(Table, frozen=True, kw_only=True):
    """The whole file."""

    daemon: Daemon = Daemon()
    log: Log = Log()
    history: History = History()
    control: Control = Control()
    metrics: Metrics = Metrics()
    store: Store = Store()
    smpp: SmppServer = SmppServer()
    webhooks: Webhooks = Webhooks()
    http: Http = Http()
    mqtt: Mqtt = Mqtt()
    parts: Parts = Parts()
    sessions: Sessions = Sessions()
    numbers: Numbers = Numbers()
    billing: Billing = Billing()
    rcs: Rcs = Rcs()
    accounts: dict[str, Account] = msgspec.field(default_factory=dict)
    endpoints: dict[str, Endpoint] = msgspec.field(default_factory=dict)
    providers: dict[str, Provider] = msgspec.field(default_factory=dict)
    applications: dict[str, Application] = msgspec.field(default_factory=dict)
    links: dict[str, Link] = msgspec.field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    @property
    def countries(self) -> tuple[str, ...]:
        """Where applications dial as people do."""
        return tuple(sorted({account.country for account in self.accounts.values() if account.country}))
