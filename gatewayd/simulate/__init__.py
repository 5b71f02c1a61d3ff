"""Carriers, platforms and senders that can be told how to behave; users try the gateway with them."""
