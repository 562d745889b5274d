"""Drivers of printers: one module for each kind of address, imported when a configuration has such a one."""
