"""Values and rules: no clock, no random, no I/O, no Twisted."""
