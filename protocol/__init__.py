"""Pure wire formats: no clock, no socket, no logger. Import two levels deep, never through this package."""
