"""What became of a message, told from what the store has kept."""
