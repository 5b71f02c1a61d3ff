"""gatewayd: a gateway daemon between legacy SMPP applications and the RCS and SMS carriers."""

__version__ = "0.1.0"
