"""Faxes: mail that leaves over a telephone line, and calls that come in and become mail."""
