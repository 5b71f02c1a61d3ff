"""The durable truth: what is stored, and nothing about what it means to carriers."""
