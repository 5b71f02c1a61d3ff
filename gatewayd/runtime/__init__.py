"""The ground: transport, shared limits, metrics, trail and tasks."""
