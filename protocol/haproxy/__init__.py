"""The header by which a load balancer says for whom it connects."""
