"""The office on its sockets."""

from tests.house import House, house

__all__ = ["House", "house"]
