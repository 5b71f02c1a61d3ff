"""Pure decisions: time and randomness are arguments, nothing waits."""
