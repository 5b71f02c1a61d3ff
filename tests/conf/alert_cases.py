"""What Prometheus sees of a healthy daemon, and for each alert what is different when it must ring.

Series in promtool's notation, one value a minute: ``0+60x100`` begins at 0 and grows by 60, ``1x100`` stays at 1.
"""

from __future__ import annotations

from typing import Final

MINUTES: Final = 100
DAY: Final = 86_400
_TELLS: Final = "gatewayd_certificate_expiry_timestamp_seconds"
_THRESHOLD: Final = "gatewayd_guard_threshold_ratio"
_RESPONSE: Final = "gatewayd_submit_response_seconds_bucket"
_COMMIT: Final = "gatewayd_store_commit_seconds_bucket"
_LAG: Final = "gatewayd_loop_lag_seconds_bucket"


def steady(value: float) -> str:
    """The same value all the time."""
    return f"{value:g}x{MINUTES}"


def growing(per_minute: float) -> str:
    """A counter."""
    return f"0+{per_minute:g}x{MINUTES}"


def leaping(at: int, by: float) -> str:
    """A counter that grows once, after so many minutes."""
    return f"0x{at} {by:g}x{MINUTES - at}"


HEALTHY: Final[dict[str, str]] = {
    'gatewayd_mqtt_connected{worker="0"}': steady(1),
    "up": steady(1),
    "gatewayd_workers_up": steady(2),
    "gatewayd_workers_configured": steady(2),
    'gatewayd_worker_deaths_total{worker="0",reason="signal"}': steady(3),
    'gatewayd_worker_deaths_total{worker="0",reason="silent"}': steady(1),
    'gatewayd_worker_beat_age_seconds{worker="0"}': steady(0.9),
    "gatewayd_supervisor_beat_age_seconds": steady(2.9),
    f'{_LAG}{{worker="0",le="0.25"}}': growing(300),
    f'{_LAG}{{worker="0",le="0.5"}}': growing(300),
    f'{_LAG}{{worker="0",le="+Inf"}}': growing(300),
    'gatewayd_faults_total{side="esme",kind="internal"}': steady(0),
    'gatewayd_faults_total{side="webhook",kind="bad_token"}': steady(4),
    "gatewayd_config_reload_failed": steady(0),
    f'{_TELLS}{{key="smpp.tls_certificate"}}': steady(60 * DAY),
    'gatewayd_certificate_refused{key="smpp.tls_certificate"}': steady(0),
    "process_open_fds": steady(100),
    "process_max_fds": steady(1_024),
    'gatewayd_link_up{link="carrier"}': steady(1),
    'gatewayd_link_up{link="rcs"}': steady(1),
    'gatewayd_binds{side="carrier",name="carrier"}': steady(2),
    'gatewayd_binds_configured{side="carrier",name="carrier"}': steady(2),
    'gatewayd_link_results_total{link="carrier",outcome="accepted",error=""}': growing(600),
    'gatewayd_link_results_total{link="carrier",outcome="refused",error="ESME_RINVDSTADR"}': growing(60),
    'gatewayd_link_results_total{link="carrier",outcome="unknown",error="timeout"}': growing(6),
    'gatewayd_link_results_total{link="carrier",outcome="deferred",error="ESME_RTHROTTLED"}': growing(60),
    'gatewayd_link_errors_total{link="carrier",family="throttled"}': growing(60),
    'gatewayd_receipts_total{link="carrier",state="DELIVRD"}': growing(560),
    'gatewayd_receipts_total{link="carrier",state="ACCEPTD"}': growing(600),
    'gatewayd_messages_total{account="shop",link="carrier",channel="sms",outcome="DELIVRD"}': growing(560),
    'gatewayd_messages_total{account="shop",link="carrier",channel="sms",outcome="UNDELIV"}': growing(60),
    'gatewayd_queue_oldest_age_seconds{link="carrier"}': steady(4),
    'gatewayd_guard_ratio{application="orange"}': steady(0.03),
    f'{_THRESHOLD}{{application="orange",level="warn"}}': steady(0.05),
    f'{_THRESHOLD}{{application="orange",level="known_only"}}': steady(0.08),
    'gatewayd_guard_window_messages{application="orange"}': steady(5_000),
    'gatewayd_guard_state{application="orange"}': steady(0),
    'gatewayd_limiter_paused_seconds{limit="provider:orange"}': steady(0),
    'gatewayd_limiter_used_ratio{limit="provider:orange"}': steady(0.6),
    'gatewayd_binds{side="esme",name="shop"}': steady(2),
    'gatewayd_outbox_deliveries{account="shop",sink="smpp"}': steady(40),
    'gatewayd_outbox_deliveries{account="shop",sink="webhook"}': steady(40),
    'gatewayd_outbox_max_deliveries{account="shop",sink="smpp"}': steady(100_000),
    'gatewayd_outbox_oldest_age_seconds{account="shop",sink="smpp"}': steady(1),
    'gatewayd_outbox_oldest_age_seconds{account="shop",sink="webhook"}': steady(1),
    'gatewayd_outbox_dead_letters{account="shop",sink="webhook"}': steady(3),
    'gatewayd_endpoint_state{sink="webhook",endpoint="crm"}': steady(0),
    "gatewayd_history_lost_groups_total": steady(0),
    'gatewayd_deliveries_total{account="shop",kind="receipt",outcome="expired"}': steady(7),
    'gatewayd_submits_total{account="shop",status="ESME_ROK"}': growing(600),
    'gatewayd_submits_total{account="shop",status="ESME_RINVDSTADR"}': growing(10),
    'gatewayd_submits_total{account="shop",status="ESME_RTHROTTLED"}': growing(10),
    f'{_RESPONSE}{{account="shop",le="0.01"}}': growing(600),
    f'{_RESPONSE}{{account="shop",le="+Inf"}}': growing(600),
    'gatewayd_lockouts_total{scope="address"}': steady(2),
    'gatewayd_binds_refused_total{status="ESME_RINVPASWD"}': steady(2),
    'gatewayd_mo_total{link="carrier",account="",fate="unrouted"}': steady(1),
    "gatewayd_store_failing": steady(0),
    "gatewayd_store_commit_failures_total": steady(2),
    f'{_COMMIT}{{le="0.01"}}': growing(900),
    f'{_COMMIT}{{le="1"}}': growing(900),
    f'{_COMMIT}{{le="+Inf"}}': growing(900),
    "gatewayd_store_pending_records": steady(30),
    "gatewayd_store_pending_max_records": steady(20_000),
    "gatewayd_store_disk_free_bytes": f"{400e9:.0f}-1000000x{MINUTES}",
    "gatewayd_store_disk_size_bytes": steady(500_000_000_000),
    "gatewayd_billing_unwritten_records": steady(0),
}

# By alert: one case or several, each with the series that differ. A value of nothing takes the series away.
FIRING: Final[dict[str, list[dict[str, str]]]] = {
    "GatewaydDown": [{"up": steady(0)}],
    "GatewaydWorkersMissing": [{"gatewayd_workers_up": steady(1)}],
    "GatewaydWorkerCrashLoop": [{'gatewayd_worker_deaths_total{worker="0",reason="signal"}': growing(0.4)}],
    "GatewaydWatchdog": [
        {'gatewayd_worker_beat_age_seconds{worker="0"}': steady(8)},
        {"gatewayd_supervisor_beat_age_seconds": growing(60)},
        {'gatewayd_worker_deaths_total{worker="0",reason="silent"}': leaping(MINUTES - 10, 1)},
    ],
    "GatewaydLoopLate": [{f'{_LAG}{{worker="0",le="0.25"}}': growing(250)}],
    "GatewaydInternalFaults": [{'gatewayd_faults_total{side="esme",kind="internal"}': leaping(MINUTES - 10, 1)}],
    "GatewaydReloadFailed": [{"gatewayd_config_reload_failed": steady(1)}],
    "GatewaydCertificateExpires": [{f'{_TELLS}{{key="smpp.tls_certificate"}}': steady(20 * DAY)}],
    "GatewaydCertificateEnds": [{f'{_TELLS}{{key="smpp.tls_certificate"}}': steady(DAY)}],
    "GatewaydCertificateRefused": [{'gatewayd_certificate_refused{key="smpp.tls_certificate"}': steady(1)}],
    "GatewaydDescriptorsShort": [{"process_open_fds": steady(900)}],
    "GatewaydLinkDown": [{'gatewayd_link_up{link="rcs"}': steady(0)}],
    "GatewaydBindsMissing": [{'gatewayd_binds{side="carrier",name="carrier"}': steady(1)}],
    "GatewaydLinkRefuses": [
        {'gatewayd_link_results_total{link="carrier",outcome="refused",error="ESME_RINVDSTADR"}': growing(300)}
    ],
    "GatewaydLinkFails": [
        {'gatewayd_link_results_total{link="carrier",outcome="unknown",error="timeout"}': growing(900)},
        {'gatewayd_link_results_total{link="carrier",outcome="deferred",error="connect_failed"}': growing(900)},
    ],
    "GatewaydQueueOld": [{'gatewayd_queue_oldest_age_seconds{link="carrier"}': growing(60)}],
    "GatewaydReceiptsMissing": [
        {'gatewayd_receipts_total{link="carrier",state="DELIVRD"}': steady(9_000)},
        {'gatewayd_receipts_total{link="carrier",state="DELIVRD"}': growing(200)},
    ],
    "GatewaydUndelivered": [
        {'gatewayd_messages_total{account="shop",link="carrier",channel="sms",outcome="UNDELIV"}': growing(400)}
    ],
    "GatewaydErrorRatioNearGuard": [{'gatewayd_guard_ratio{application="orange"}': steady(0.066)}],
    "GatewaydGuardClosed": [{'gatewayd_guard_state{application="orange"}': steady(2)}],
    "GatewaydQuotaPause": [{'gatewayd_limiter_paused_seconds{limit="provider:orange"}': steady(50)}],
    "GatewaydQuotaUsed": [{'gatewayd_limiter_used_ratio{limit="provider:orange"}': steady(0.99)}],
    "GatewaydWebhooksRefused": [{'gatewayd_faults_total{side="webhook",kind="bad_token"}': growing(30)}],
    "GatewaydApplicationAway": [
        {
            'gatewayd_binds{side="esme",name="shop"}': steady(0),
            'gatewayd_outbox_oldest_age_seconds{account="shop",sink="smpp"}': growing(60),
        }
    ],
    "GatewaydOutboxNearlyFull": [
        {'gatewayd_outbox_deliveries{account="shop",sink="smpp"}': steady(90_000)},
        {'gatewayd_outbox_deliveries{account="shop",sink="webhook"}': steady(90_000)},
    ],
    "GatewaydEndpointDown": [{'gatewayd_endpoint_state{sink="webhook",endpoint="crm"}': steady(2)}],
    "GatewaydBrokerAway": [{'gatewayd_mqtt_connected{worker="0"}': steady(0)}],
    "GatewaydDeadLetters": [{'gatewayd_outbox_dead_letters{account="shop",sink="webhook"}': leaping(MINUTES - 10, 4)}],
    "GatewaydHistoryLost": [{"gatewayd_history_lost_groups_total": leaping(MINUTES - 10, 1)}],
    "GatewaydDeliveriesLost": [
        {'gatewayd_deliveries_total{account="shop",kind="receipt",outcome="expired"}': leaping(MINUTES - 10, 3)}
    ],
    "GatewaydSubmitsRefused": [{'gatewayd_submits_total{account="shop",status="ESME_RINVDSTADR"}': growing(300)}],
    "GatewaydAccountThrottled": [{'gatewayd_submits_total{account="shop",status="ESME_RTHROTTLED"}': growing(200)}],
    "GatewaydBindsRefused": [{'gatewayd_binds_refused_total{status="ESME_RINVPASWD"}': growing(6)}],
    "GatewaydLockedOut": [{'gatewayd_lockouts_total{scope="address"}': leaping(MINUTES - 10, 1)}],
    "GatewaydRepliesUnrouted": [{'gatewayd_mo_total{link="carrier",account="",fate="unrouted"}': growing(1)}],
    "GatewaydStoreFailing": [
        {"gatewayd_store_failing": steady(1)},
        {"gatewayd_store_commit_failures_total": growing(30)},
    ],
    "GatewaydStoreSlow": [
        {f'{_COMMIT}{{le="0.01"}}': growing(800), f'{_COMMIT}{{le="1"}}': growing(890)},
        {"gatewayd_store_pending_records": steady(15_000)},
    ],
    "GatewaydDiskFills": [
        {"gatewayd_store_disk_free_bytes": steady(40_000_000_000)},
        {"gatewayd_store_disk_free_bytes": f"{140e9:.0f}-500000000x{MINUTES}"},
    ],
    "GatewaydBillingUnwritten": [{"gatewayd_billing_unwritten_records": steady(12)}],
}

# Others that ring as well, and should.
ALSO: Final[dict[str, set[str]]] = {"GatewaydCertificateEnds": {"GatewaydCertificateExpires"}}

# Near the bound, and yet silent.
SILENT: Final[dict[str, dict[str, str]]] = {
    "GatewaydErrorRatioNearGuard": {
        'gatewayd_guard_ratio{application="orange"}': steady(0.2),
        'gatewayd_guard_window_messages{application="orange"}': steady(20),
    },
    "GatewaydReceiptsMissing": {
        'gatewayd_link_results_total{link="carrier",outcome="accepted",error=""}': growing(0.5),
        'gatewayd_link_results_total{link="carrier",outcome="refused",error="ESME_RINVDSTADR"}': steady(60),
        'gatewayd_receipts_total{link="carrier",state="DELIVRD"}': steady(9),
    },
    "GatewaydLinkFails": {  # too fast, that is GatewaydQuotaPause's
        'gatewayd_link_results_total{link="carrier",outcome="deferred",error="ESME_RTHROTTLED"}': growing(900),
        'gatewayd_link_errors_total{link="carrier",family="throttled"}': growing(900),
    },
    "GatewaydLinkRefuses": {
        'gatewayd_link_results_total{link="carrier",outcome="unknown",error="timeout"}': steady(6),
        'gatewayd_link_results_total{link="carrier",outcome="deferred",error="ESME_RTHROTTLED"}': steady(6),
        'gatewayd_link_results_total{link="carrier",outcome="accepted",error=""}': growing(1),
        'gatewayd_link_results_total{link="carrier",outcome="refused",error="ESME_RINVDSTADR"}': growing(3),
        'gatewayd_receipts_total{link="carrier",state="DELIVRD"}': growing(1),
    },
    "GatewaydBindsMissing": {  # that is GatewaydLinkDown's
        'gatewayd_binds{side="carrier",name="carrier"}': steady(0),
        'gatewayd_link_up{link="carrier"}': f"1x{MINUTES - 1} 0",
    },
    "GatewaydApplicationAway": {  # an endpoint needs no bind
        'gatewayd_binds{side="esme",name="shop"}': steady(0),
        'gatewayd_outbox_oldest_age_seconds{account="shop",sink="webhook"}': growing(60),
    },
    "GatewaydWorkerCrashLoop": {'gatewayd_worker_deaths_total{worker="0",reason="signal"}': leaping(MINUTES - 10, 2)},
    "GatewaydQuotaPause": {'gatewayd_limiter_paused_seconds{limit="provider:orange"}': f"0x{MINUTES - 1} 50"},
}
