"""Hostile octets for every engine and every reader: what is tried, how it is made, and how a find is kept."""
