"""The office on its sockets, and what tests say about its fax line; an office in memory with lines that obey tests."""

from tests.fax.calling_room import Room, room
from tests.house import House, house

__all__ = ["House", "Room", "house", "room"]
