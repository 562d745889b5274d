"""SASL mechanisms, one file each, both sides."""
