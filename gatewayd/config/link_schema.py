"""The keys of one carrier link or RCS agent, and which kind has which. A part of gatewayd.config.schema."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

import msgspec

from gatewayd.config.values import (
    AgentState,
    Alphabet,
    Attempts,
    BindMode,
    Binds,
    BulkSize,
    CountOrNone,
    Country,
    DestinationForm,
    Host,
    HostPort,
    Hours,
    HoursOfDay,
    HoursOrOff,
    LinkKind,
    Listen,
    LongMessages,
    MessageIdMode,
    NationalLanguage,
    Network,
    NpiOrKept,
    OAuthScope,
    Port,
    Rate,
    RateOrNone,
    Seconds,
    SecondsOrOff,
    Sender,
    Septets,
    ServiceType,
    SmppVersion,
    StatusAction,
    SystemId,
    SystemType,
    Table,
    Tlv,
    Tlvs,
    TonOrKept,
    Transliteration,
    UnknownPolicy,
    Url,
    Window,
    Word,
)


class Link(Table, frozen=True, kw_only=True):
    """One carrier link or RCS agent. Keys of the other kind must stay away; see conf/gatewayd.toml."""

    kind: LinkKind
    window: Window = 100
    rate_per_s: RateOrNone = 0.0
    burst: CountOrNone = 0
    on_unknown: UnknownPolicy = "prefer_duplicate"
    retry_max: CountOrNone = 10
    billing: Word = ""
    # smpp
    host: Host = ""
    port: Port = 2775
    hosts: tuple[HostPort, ...] = ()
    failover_after: Attempts = 3
    failback_interval_s: SecondsOrOff = 60.0
    listen: Listen = ""
    listen_networks: tuple[Network, ...] = ()
    outbind_password_file: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_server_name: Host = ""
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
    connects_per_s: Rate = 10.0
    bind_refused_wait_s: Seconds = 30.0
    bind_refused_wait_max_s: Seconds = 900.0
    throttle_pause_s: Seconds = 1.0
    throttle_climb_s: SecondsOrOff = 60.0
    statuses: dict[str, StatusAction] = msgspec.field(default_factory=dict)
    interface_version: SmppVersion = "3.4"
    data_coding_0: Alphabet = "gsm"
    septets: Septets = "unpacked"
    national_languages: tuple[NationalLanguage, ...] = ()
    transliterate: Transliteration = "off"
    long_messages: LongMessages = "udh8"
    message_id_mode: MessageIdMode = "auto"
    destination_form: DestinationForm = "as_sent"
    country: Country = ""
    source_ton: TonOrKept = "keep"
    source_npi: NpiOrKept = "keep"
    source_map: dict[Sender, Sender] = msgspec.field(default_factory=dict)
    source_fallback: Sender = ""
    service_type: ServiceType = ""
    tlvs_pass: tuple[Tlvs, ...] = ("all",)
    tlvs_rename: dict[Tlv, Tlv] = msgspec.field(default_factory=dict)
    receipt_tlvs_pass: tuple[Tlvs, ...] = ()
    receipts: str = ""
    receipts_without_mark: bool = False
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
    operators: dict[str, AgentState] = msgspec.field(default_factory=dict)
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

    @property
    def berths(self) -> int:
        """In how many places that workers share out it is connected: one where a carrier connects to us."""
        return 1 if self.listen else self.binds

    @property
    def binds_wanted(self) -> int:
        """How many binds should stand; a pair of them is two."""
        return self.binds * 2 if self.bind == "separate" else self.binds


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
