"""The office on its sockets, also on a disk that fails."""

from tests.house import House, house
from tests.toughness.faulty_disk import files

__all__ = ["House", "files", "house"]
