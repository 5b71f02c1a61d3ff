"""Every configuration key with its type, bounds and default, as frozen records. Reads nothing and checks nothing.

``Meta.extra`` is for gatewayd.config.reading: ``form`` names a rule of gatewayd.config.forms that a text must obey,
``noun`` says in words what a number is, and ``hidden`` keeps a value out of every message and listing.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Alphabet = Literal["gsm", "latin1", "ascii"]
BindMode = Literal["transceiver", "transmitter", "receiver"]
MessageIdMode = Literal["auto", "exact", "case", "hex_to_decimal", "decimal_to_hex"]
UnknownPolicy = Literal["prefer_duplicate", "prefer_silence"]
ApiCall = Literal["message", "capability", "revoke"]
AgentState = Literal["draft", "launched", "suspended"]
LinkKind = Literal["smpp", "gsma", "rbm"]
Sink = Literal["smpp", "webhook", "mqtt"]
News = Literal["receipt", "mo", "session"]
Product = Literal["kannel", "jasmin"]
Scope = Literal["send", "query", "cancel", "sessions", "capability"]

Port = Annotated[int, Meta(ge=1, le=65_535, extra={"noun": "a port"})]
Binds = Annotated[int, Meta(ge=1, le=1_000)]
Window = Annotated[int, Meta(ge=1, le=10_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
CountOrNone = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Octets = Annotated[int, Meta(ge=1_024, le=16_777_216, extra={"noun": "a size in octets"})]
FileOctets = Annotated[int, Meta(ge=1_024, le=1_099_511_627_776, extra={"noun": "a size in octets"})]
BatchSize = Annotated[int, Meta(ge=1, le=100_000)]
BulkSize = Annotated[int, Meta(ge=1, le=10_000)]
Keepalive = Annotated[int, Meta(ge=5, le=3_600)]
Concurrency = Annotated[int, Meta(ge=1, le=256)]
Weight = Annotated[int, Meta(ge=1, le=1_000)]
Workers = Annotated[int, Meta(ge=1, le=64, extra={"noun": "a number of workers"})]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
SecondsOrOff = Annotated[float, Meta(ge=0, le=31_536_000)]
Hours = Annotated[float, Meta(gt=0, le=87_600)]
HoursOrOff = Annotated[float, Meta(ge=0, le=87_600)]
Milliseconds = Annotated[float, Meta(ge=0, le=1_000)]
RateOrNone = Annotated[float, Meta(ge=0, le=1_000_000)]
Share = Annotated[float, Meta(gt=0, le=1)]
ShareOrNone = Annotated[float, Meta(ge=0, le=0.9)]

Listen = Annotated[str, Meta(extra={"form": "listen"})]
Network = Annotated[str, Meta(extra={"form": "network"})]
Host = Annotated[str, Meta(extra={"form": "host"})]
Url = Annotated[str, Meta(extra={"form": "url"})]
SystemId = Annotated[str, Meta(extra={"form": "system_id"})]
SystemType = Annotated[str, Meta(extra={"form": "system_type"})]
PasswordHash = Annotated[str, Meta(extra={"form": "password_hash", "hidden": True})]
KeyHash = Annotated[str, Meta(extra={"form": "key_hash", "hidden": True})]
Moment = Annotated[str, Meta(extra={"form": "moment"})]
Pattern = Annotated[str, Meta(extra={"form": "pattern"})]
Prefix = Annotated[str, Meta(extra={"form": "prefix"})]
HoursOfDay = Annotated[str, Meta(extra={"form": "hours_of_day"})]
OAuthScope = Annotated[str, Meta(extra={"form": "scope"})]
Word = Annotated[str, Meta(extra={"form": "word"})]
ReceiptWord = Annotated[str, Meta(extra={"form": "receipt_word"})]
Name = Annotated[str, Meta(extra={"form": "name"})]
CallbackUrl = Annotated[str, Meta(extra={"form": "callback_url"})]
TopicPrefix = Annotated[str, Meta(extra={"form": "topic_prefix"})]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML table: unknown keys are faults, never ignored."""


class Daemon(_Table, frozen=True, kw_only=True):
    """The process itself."""

    spool_dir: str = "/var/lib/gatewayd"
    runtime_dir: str = "/run/gatewayd"
    workers: Workers | Literal["auto"] = 1
    worker_silence_s: Seconds = 10.0
    drain_timeout_s: SecondsOrOff = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


class Log(_Table, frozen=True, kw_only=True):
    """What commands may show. The log itself never shows a whole number."""

    reveal: bool = False


class History(_Table, frozen=True, kw_only=True):
    """What is kept of messages that have met their fate, for gatewayd trace. A ``keep_h`` of 0 keeps nothing."""

    keep_h: HoursOrOff = 72.0
    text_h: HoursOrOff = 0.0
    size_max: FileOctets = 10_737_418_240


class Control(_Table, frozen=True, kw_only=True):
    """The control socket, control.sock in daemon.runtime_dir. An empty ``group``: root and the daemon's user alone."""

    group: Word = ""


class Metrics(_Table, frozen=True, kw_only=True):
    """The Prometheus endpoint; an empty ``listen`` turns it off."""

    listen: Listen = "127.0.0.1:9464"


class Store(_Table, frozen=True, kw_only=True):
    """The embedded store's bounds."""

    group_wait_ms: Milliseconds = 2.0
    pending_max: Count = 20_000
    fold_entries: Count = 50_000
    check_at_start: Literal["quick", "full", "off"] = "quick"


class SmppServer(_Table, frozen=True, kw_only=True):
    """The SMPP listener for legacy senders, and what any stranger is allowed there."""

    listen: tuple[Listen, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[Listen, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    system_id: SystemId = "gatewayd"
    pdu_size_max: Octets = 65_536
    connections_max: Count = 1_000
    session_init_timeout_s: Seconds = 10.0
    enquire_interval_s: Seconds = 30.0
    inactivity_timeout_s: SecondsOrOff = 0.0
    response_timeout_s: Seconds = 30.0
    window: Window = 1_000


class Parts(_Table, frozen=True, kw_only=True):
    """Joining long messages: how long to wait for missing parts and how many messages may be incomplete."""

    join_timeout_s: Seconds = 60.0
    incomplete_max: Count = 10_000


class Sessions(_Table, frozen=True, kw_only=True):
    """MO correlation."""

    window_h: Hours = 24.0


class Numbers(_Table, frozen=True, kw_only=True):
    """What is known of the operators of numbers. An empty path is a file that is not used."""

    ported: str = "/var/lib/gatewayd/ported"
    prefixes: str = ""
    names: str = ""


class Billing(_Table, frozen=True, kw_only=True):
    """Billing records of links with ``billing``. An empty ``records_dir`` is ``cdr`` in daemon.spool_dir."""

    records_dir: str = ""
    file_size_max: FileOctets = 67_108_864
    table: bool = True
    rules_dir: str = ""


class Rcs(_Table, frozen=True, kw_only=True):
    """What RCS links have in common. An empty ``templates_dir``: every message goes as the text it is.

    ``media_dir`` holds the files that templates name (``file:NAME``); empty: there are none.
    """

    templates_dir: str = ""
    media_dir: str = ""


class ApiKey(_Table, frozen=True, kw_only=True):
    """One key of an account for the HTTP API. An empty ``expires``: it does not end."""

    hash: KeyHash = ""
    hash_file: str = ""
    scopes: tuple[Scope, ...] = ("send", "query", "cancel", "sessions", "capability")
    expires: Moment = ""


class Account(_Table, frozen=True, kw_only=True):
    """One application: its credentials, rights and limits. The table's name is its system_id."""

    password_hash: PasswordHash = ""
    password_hash_file: str = ""
    networks: tuple[Network, ...] = ()
    binds_max: Binds = 4
    rate_per_s: RateOrNone = 100.0
    burst: RateOrNone = 0.0
    senders: tuple[Pattern, ...] = ("*",)
    numbers: tuple[Word, ...] = ()
    traffic_class: Word = ""
    traffic_classes: tuple[Word, ...] = ()
    schedule_max_h: HoursOrOff = 168.0
    api_keys: dict[str, ApiKey] = {}
    weight: Weight = 1
    window: Window = 100
    data_coding_0: Alphabet = "gsm"
    outbox_ttl_h: Hours = 72.0
    outbox_depth_max: Count = 1_000_000
    displayed_receipts: ReceiptWord = ""
    displayed_wait_h: Hours = 168.0
    sinks: tuple[Sink, ...] = ("smpp",)
    events: tuple[News, ...] = ("receipt", "mo", "session")
    endpoint: str = ""
    dead_letter_h: Hours = 168.0
    mqtt_send: bool = False
    dlr_urls: tuple[CallbackUrl, ...] = ()
    dlr_allow_private: bool = False


class Endpoint(_Table, frozen=True, kw_only=True):
    """Where the webhooks of accounts with the sink webhook are posted."""

    url: Url
    secret_file: str
    concurrency: Concurrency = 8
    timeout_s: Seconds = 15.0
    tls_ca: str = ""
    allow_private: bool = False


class Provider(_Table, frozen=True, kw_only=True):
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


class Application(_Table, frozen=True, kw_only=True):
    """One of several applications at a provider, with a quota, pauses and a guard of its own."""

    provider: str
    per_minute: CountOrNone = 0
    per_second: CountOrNone = 0
    rate_per_s: RateOrNone = 0.0
    burst: Count = 1


class Link(_Table, frozen=True, kw_only=True):
    """One carrier link or RCS agent. Keys of the other kind must stay away; see conf/gatewayd.toml."""

    kind: LinkKind
    window: Window = 100
    rate_per_s: RateOrNone = 0.0
    burst: Count = 1
    on_unknown: UnknownPolicy = "prefer_duplicate"
    retry_max: CountOrNone = 10
    billing: Word = ""
    # smpp
    host: Host = ""
    port: Port = 2775
    tls: bool = False
    tls_ca: str = ""
    system_id: SystemId = ""
    password_file: str = ""
    system_type: SystemType = ""
    bind: BindMode = "transceiver"
    binds: Binds = 1
    enquire_interval_s: Seconds = 30.0
    response_timeout_s: Seconds = 30.0
    bind_timeout_s: Seconds = 10.0
    reconnect_min_s: Seconds = 1.0
    reconnect_max_s: Seconds = 60.0
    throttle_pause_s: Seconds = 1.0
    data_coding_0: Alphabet = "gsm"
    message_id_mode: MessageIdMode = "auto"
    parked_receipt_ttl_s: Seconds = 86_400.0
    # gsma and rbm
    provider: str = ""
    application: str = ""
    server_root: Url = ""
    bot_id: Word = ""
    token_url: Url = ""
    client_id: str = ""
    client_secret_file: str = ""
    token_scope: OAuthScope = ""
    dialect: Word = "standard"
    bot_key_file: str = ""
    assertion_audience: str = ""
    assertion_header: str = ""
    assertion_prefix: str = ""
    assertion_url: Url = ""
    assertion_issuer_in_list: bool = False
    service_account_file: str = ""
    webhook_token_file: str = ""
    new_user_text: str = "NEW USER"
    file_validity_h: Hours = 720.0
    operators: dict[str, AgentState] = {}
    operators_otherwise: AgentState = "draft"
    test_numbers: tuple[Word, ...] = ()
    capability: Literal["query", "assume", "bulk"] = "query"
    capability_yes_h: HoursOrOff = 2_160.0
    capability_no_h: HoursOrOff = 1_440.0
    capability_new_h: HoursOrOff = 720.0
    capability_unknown: Literal["sms", "try"] = "sms"
    bulk_api: Literal["auto", "orange", "dotgo", "rbm"] = "auto"
    bulk_hours: HoursOfDay = "22:00-07:00"
    bulk_zone: str = "Europe/Paris"
    bulk_size_max: BulkSize = 10_000
    deadline_s: Seconds = 300.0
    request_timeout_s: Seconds = 20.0
    traffic_type: Word = ""


SHARED_LINK_KEYS: Final = frozenset({"kind", "window", "rate_per_s", "burst", "on_unknown", "retry_max", "billing"})
GSMA_ONLY_KEYS: Final = frozenset(
    {
        "client_id",
        "client_secret_file",
        "token_scope",
        "dialect",
        "bot_key_file",
        "assertion_audience",
        "assertion_header",
        "assertion_prefix",
        "assertion_url",
        "assertion_issuer_in_list",
        "new_user_text",
        "file_validity_h",
    }
)
RBM_ONLY_KEYS: Final = frozenset({"service_account_file"})
GSMA_LINK_KEYS: Final = (GSMA_ONLY_KEYS | RBM_ONLY_KEYS) | frozenset(
    {
        "provider",
        "application",
        "server_root",
        "bot_id",
        "token_url",
        "webhook_token_file",
        "capability",
        "capability_yes_h",
        "capability_no_h",
        "capability_new_h",
        "capability_unknown",
        "operators",
        "operators_otherwise",
        "test_numbers",
        "bulk_api",
        "bulk_hours",
        "bulk_zone",
        "bulk_size_max",
        "deadline_s",
        "request_timeout_s",
        "traffic_type",
    }
)
SMPP_LINK_KEYS: Final = frozenset(Link.__struct_fields__) - SHARED_LINK_KEYS - GSMA_LINK_KEYS
FOREIGN_LINK_KEYS: Final = MappingProxyType(
    {
        "smpp": GSMA_LINK_KEYS,
        "gsma": SMPP_LINK_KEYS | RBM_ONLY_KEYS,
        "rbm": SMPP_LINK_KEYS | GSMA_ONLY_KEYS,
    }
)


class Webhooks(_Table, frozen=True, kw_only=True):
    """The listener for RCS platforms: POST /rcs/LINK. An empty ``listen`` turns it off."""

    listen: Listen = ""
    tls_certificate: str = ""
    tls_key: str = ""
    body_size_max: Octets = 262_144


class Http(_Table, frozen=True, kw_only=True):
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


class Mqtt(_Table, frozen=True, kw_only=True):
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


class Route(_Table, frozen=True, kw_only=True):
    """One rule: every condition given must hold; the first rule that matches decides. ``*`` ends a prefix."""

    links: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    senders: tuple[Pattern, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    classes: tuple[Word, ...] = ()
    on_unknown: UnknownPolicy | None = None


class Config(_Table, frozen=True, kw_only=True):
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
    accounts: dict[str, Account] = {}
    endpoints: dict[str, Endpoint] = {}
    providers: dict[str, Provider] = {}
    applications: dict[str, Application] = {}
    links: dict[str, Link] = {}
    routes: tuple[Route, ...] = ()
