"""The dispatcher: what is claimed, sent, settled and brought back."""
