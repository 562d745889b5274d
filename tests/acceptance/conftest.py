"""The whole office of the people's tests, for what lies between its parts."""

from tests.people.conftest import House, house

__all__ = ["House", "house"]
