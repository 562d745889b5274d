"""Engines without I/O: bytes in, events out, answers to bytes."""
