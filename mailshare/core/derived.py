"""What follows from a frozen value: worked out at the first question and forgotten with the value."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from itertools import count
from typing import Generic, TypeVar, overload

Value = TypeVar("Value")
Derived = TypeVar("Derived")
_numbers = count()
_MOST = 256  # values that derived_of() keeps


def derived(work_out: Callable[[Value], Derived]) -> Callable[[Value], Derived]:
    """Have a pure function of one value remember its results.

    They are kept in the value, beside its fields, so nothing of it is compared or hashed. It must not change, and its
    class has a dict (``@frozen(slots=False)``).
    """
    name = f"{work_out.__qualname__} {next(_numbers)}"  # one function may be made several times, in another one

    def look(value: Value) -> Derived:
        kept = value.__dict__
        if name in kept:
            result: Derived = kept[name]
            return result
        result = kept[name] = work_out(value)
        return result

    update_wrapper(look, work_out)
    return look


def derived_of(work_out: Callable[[Value], Derived]) -> Callable[[Value], Derived]:
    """Have a pure function remember its results for the very objects that it was asked of, the last few hundred.

    For frozen values that have no dict, such as a tuple that many messages have in common.
    """
    kept: dict[int, tuple[Value, Derived]] = {}

    def look(value: Value) -> Derived:
        found = kept.get(id(value))
        if found is not None:  # it is this one: it is kept, so no other can have taken its place
            return found[1]
        if len(kept) >= _MOST:
            kept.clear()
        result = work_out(value)
        kept[id(value)] = value, result
        return result

    update_wrapper(look, work_out)
    return look


def changed(value: Value, **fields: object) -> Value:
    """``attrs.evolve`` for each message's own values: an eighth of its time.

    :param value: frozen, with its fields in a dict (``@frozen(slots=False)``), all of them arguments of its maker; what
        :class:`once` has found out of it must not follow from the changed fields.
    """
    other = object.__new__(type(value))
    other.__dict__.update(value.__dict__, **fields)
    return other


class once(Generic[Value, Derived]):  # noqa: N801 - it stands where a decorator does
    """A property of an immutable object, worked out at the first look and kept in the object.

    The standard library's, until Python 3.12, takes a lock at the first look: a microsecond, which the header of a
    message costs a dozen times. Two threads that look at the same time both work it out here, and find the same.
    """

    def __init__(self, work_out: Callable[[Value], Derived]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type[Value], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, value: None, owner: type[Value]) -> once[Value, Derived]: ...

    @overload
    def __get__(self, value: Value, owner: type[Value]) -> Derived: ...

    def __get__(self, value: Value | None, owner: type[Value]) -> once[Value, Derived] | Derived:
        """The result; from then on it is found in the object and this is not called any more."""
        if value is None:
            return self
        result = value.__dict__[self._name] = self._work_out(value)
        return result
