"""The north side: everything that legacy senders see."""
