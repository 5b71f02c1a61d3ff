"""The configuration: its schema, how it is read, and how its faults are told."""
