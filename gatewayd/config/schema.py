"""Every configuration key with its type and default, as frozen records. Reads nothing and checks nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

Alphabet = Literal["gsm", "latin1", "ascii"]
BindMode = Literal["transceiver", "transmitter", "receiver"]
MessageIdMode = Literal["auto", "exact", "case", "hex_to_decimal", "decimal_to_hex"]
UnknownPolicy = Literal["prefer_duplicate", "prefer_silence"]
LinkKind = Literal["smpp", "gsma"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML table: unknown keys are faults, never ignored."""


class Daemon(_Table):
    """The process itself."""

    spool_dir: str = "/var/lib/gatewayd"
    runtime_dir: str = "/run/gatewayd"
    drain_timeout_s: float = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Metrics(_Table):
    """The Prometheus endpoint; an empty ``listen`` turns it off."""

    listen: str = "127.0.0.1:9464"


class Store(_Table):
    """The embedded store's bounds."""

    group_wait_ms: float = 2.0
    pending_max: int = 20_000
    fold_entries: int = 50_000
    check_at_start: Literal["quick", "full", "off"] = "quick"


class SmppServer(_Table):
    """The SMPP listener for legacy senders, and what any stranger is allowed there."""

    listen: tuple[str, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[str, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    system_id: str = "gatewayd"
    pdu_size_max: int = 65_536
    connections_max: int = 1_000
    session_init_timeout_s: float = 10.0
    enquire_interval_s: float = 30.0
    inactivity_timeout_s: float = 0.0
    response_timeout_s: float = 30.0
    window: int = 1_000


class Parts(_Table):
    """Joining long messages: how long to wait for missing parts and how many messages may be incomplete."""

    join_timeout_s: float = 60.0
    incomplete_max: int = 10_000


class Sessions(_Table):
    """MO correlation."""

    window_h: float = 24.0


class Account(_Table):
    """One application: its credentials, rights and limits. The table's name is its system_id."""

    password_hash: str = ""
    password_hash_file: str = ""
    networks: tuple[str, ...] = ()
    binds_max: int = 4
    rate_per_s: float = 100.0
    burst: float = 0.0
    senders: tuple[str, ...] = ("*",)
    numbers: tuple[str, ...] = ()
    traffic_class: str = ""
    weight: int = 1
    window: int = 100
    data_coding_0: Alphabet = "gsm"
    outbox_ttl_h: float = 72.0
    outbox_depth_max: int = 100_000


class Provider(_Table):
    """One provider application whose quota all of its links share (Orange: 1800 a minute for all bots)."""

    per_minute: int = 0
    rate_per_s: float = 0.0
    burst: int = 1
    pause_s: float = 60.0


class Link(_Table):
    """One carrier link or RCS agent. Keys of the other kind must stay away; see conf/gatewayd.toml."""

    kind: LinkKind
    window: int = 100
    rate_per_s: float = 0.0
    burst: int = 1
    on_unknown: UnknownPolicy = "prefer_duplicate"
    retry_max: int = 10
    # smpp
    host: str = ""
    port: int = 2775
    tls: bool = False
    tls_ca: str = ""
    system_id: str = ""
    password_file: str = ""
    system_type: str = ""
    bind: BindMode = "transceiver"
    binds: int = 1
    enquire_interval_s: float = 30.0
    response_timeout_s: float = 30.0
    bind_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    throttle_pause_s: float = 1.0
    data_coding_0: Alphabet = "gsm"
    message_id_mode: MessageIdMode = "auto"
    parked_receipt_ttl_s: float = 86_400.0
    # gsma
    provider: str = ""
    server_root: str = ""
    bot_id: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    webhook_token_file: str = ""
    capability: Literal["query", "assume"] = "query"
    capability_yes_h: float = 2_160.0
    capability_no_h: float = 1_440.0
    deadline_s: float = 300.0
    request_timeout_s: float = 20.0
    traffic_type: str = ""


class Webhooks(_Table):
    """The listener for RCS platforms: POST /rcs/LINK. An empty ``listen`` turns it off."""

    listen: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    body_size_max: int = 262_144


class Route(_Table):
    """One rule: every condition given must hold; the first rule that matches decides. ``*`` ends a prefix."""

    links: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    on_unknown: UnknownPolicy | None = None


class Config(_Table):
    """The whole file."""

    daemon: Daemon = Daemon()
    metrics: Metrics = Metrics()
    store: Store = Store()
    smpp: SmppServer = SmppServer()
    webhooks: Webhooks = Webhooks()
    parts: Parts = Parts()
    sessions: Sessions = Sessions()
    accounts: dict[str, Account] = {}
    providers: dict[str, Provider] = {}
    links: dict[str, Link] = {}
    routes: tuple[Route, ...] = ()
