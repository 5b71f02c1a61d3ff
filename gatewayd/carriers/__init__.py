"""The south side: links to carriers and RCS platforms."""
