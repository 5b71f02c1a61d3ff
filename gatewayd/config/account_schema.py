"""The keys of one application: who it is, what it may, how it is told. A part of gatewayd.config.schema."""

from __future__ import annotations

import msgspec

from gatewayd.config.values import (
    Alphabet,
    Binds,
    CallbackUrl,
    Count,
    CountOrNone,
    Country,
    DateDigits,
    Delay,
    DeliveryPdu,
    EsmeMode,
    HostPort,
    Hours,
    HoursOrOff,
    IdBase,
    KeyHash,
    Moment,
    NationalLanguage,
    Network,
    News,
    NpiOrKept,
    PasswordHash,
    Pattern,
    RateOrNone,
    ReceiptChars,
    ReceiptError,
    ReceiptParts,
    ReceiptTemplate,
    ReceiptTlv,
    ReceiptWord,
    Scope,
    Sender,
    ServiceType,
    Sink,
    SmppVersionOrAuto,
    Table,
    Text,
    TlsName,
    Tlvs,
    TonOrKept,
    Transliteration,
    Weight,
    Window,
    WindowOrOther,
    Word,
)


class ApiKey(Table, frozen=True, kw_only=True):
    """One key of an account for the HTTP API. An empty ``expires``: it does not end."""

    hash: KeyHash = ""
    hash_file: str = ""
    scopes: tuple[Scope, ...] = ("send", "query", "cancel", "sessions", "capability")
    expires: Moment = ""


class SourceRule(Table, frozen=True, kw_only=True):
    """What becomes of a source address of an account; the first rule that matches decides. ``*`` ends a prefix."""

    match: Pattern
    replace: Sender = ""
    ton: TonOrKept = "keep"
    npi: NpiOrKept = "keep"


class Account(Table, frozen=True, kw_only=True):
    """One application: its credentials, rights and limits. The table's name is its system_id."""

    password_hash: PasswordHash = ""
    password_hash_file: str = ""
    networks: tuple[Network, ...] = ()
    tls_names: tuple[TlsName, ...] = ()
    binds_max: Binds = 4
    bind_modes: tuple[EsmeMode, ...] = ("transceiver", "transmitter", "receiver")
    rate_per_s: RateOrNone = 100.0
    burst: RateOrNone = 0.0
    throttle_delay_s: Delay = 0.0
    per_minute: CountOrNone = 0
    per_hour: CountOrNone = 0
    per_day: CountOrNone = 0
    senders: tuple[Pattern, ...] = ("*",)
    source_default: Sender = ""
    sources: tuple[SourceRule, ...] = ()
    country: Country = ""
    check_numbers: bool = False
    validity_default_h: HoursOrOff = 0.0
    validity_max_h: HoursOrOff = 0.0
    replace_service_types: tuple[ServiceType, ...] = ()
    replace_any: bool = False
    default_messages: dict[str, Text] = msgspec.field(default_factory=dict)
    numbers: tuple[Word, ...] = ()
    traffic_class: Word = ""
    traffic_classes: tuple[Word, ...] = ()
    schedule_max_h: HoursOrOff = 168.0
    api_keys: dict[str, ApiKey] = msgspec.field(default_factory=dict)
    weight: Weight = 1
    window: Window = 100
    submit_window: WindowOrOther = 0
    data_coding_0: Alphabet = "gsm"
    national_languages: tuple[NationalLanguage, ...] = ()
    transliterate: Transliteration = "off"
    outbind: HostPort = ""
    outbind_password_file: str = ""
    outbox_ttl_h: Hours = 72.0
    outbox_depth_max: Count = 1_000_000
    message_id_base: IdBase = "hex"
    receipt_dates: DateDigits = 10
    receipt_zone: str = "UTC"
    receipt_template: ReceiptTemplate = ""
    receipt_text_chars: ReceiptChars = 0
    receipt_tlvs: tuple[ReceiptTlv, ...] = ("receipted_message_id", "message_state", "network_error_code")
    receipt_errors: dict[str, ReceiptError] = msgspec.field(default_factory=dict)
    receipt_parts: ReceiptParts = "each"
    receipt_parts_wait_h: Hours = 73.0
    displayed_receipts: ReceiptWord = ""
    displayed_wait_h: Hours = 168.0
    sinks: tuple[Sink, ...] = ("smpp",)
    events: tuple[News, ...] = ("receipt", "mo", "session")
    endpoint: str = ""
    dead_letter_h: Hours = 168.0
    mqtt_send: bool = False
    dlr_urls: tuple[CallbackUrl, ...] = ()
    dlr_allow_private: bool = False
    interface_version: SmppVersionOrAuto = "auto"
    deliver_as: DeliveryPdu = "deliver_sm"
    tlvs_pass: tuple[Tlvs, ...] = ("all",)
    tlvs_strict: bool = False
    results_h: HoursOrOff = 0.0
