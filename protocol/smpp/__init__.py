"""SMPP 3.4 as values and one connection machine for either role."""
