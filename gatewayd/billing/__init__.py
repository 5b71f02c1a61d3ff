"""Billing records on their way out of the gateway: rule files, the record files, and what is asked of them."""
