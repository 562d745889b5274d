"""The office on its sockets, and what tests say about its fax line."""

from tests.house import House, house

__all__ = ["House", "house"]
