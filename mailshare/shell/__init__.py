"""Runs an engine on a transport: the only floor with Protocol subclasses and timers."""
