"""What a worker answers to people: questions by name, each a small function over the worker's parts."""
