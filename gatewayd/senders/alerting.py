"""An alert_notification for an application, as a carrier had told it. Knows no connection."""

from __future__ import annotations

from gatewayd.message import Availability
from protocol.smpp.pdu import AlertNotification
from protocol.smpp.tlvs import write


def alert_notification(alert: Availability) -> AlertNotification:
    """The PDU (SMPP 3.4 section 4.12.1), without its sequence number."""
    known = 0 <= alert.status <= 0xFF
    return AlertNotification(
        source_addr_ton=alert.handset_ton,
        source_addr_npi=alert.handset_npi,
        source_addr=alert.handset,
        esme_addr_ton=alert.address_ton,
        esme_addr_npi=alert.address_npi,
        esme_addr=alert.address,
        tlvs=(write("ms_availability_status", alert.status),) if known else (),
    )
