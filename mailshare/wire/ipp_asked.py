"""What a request asks for: its attributes with the checks that every operation shares, and the answer to it.

Source: RFC 8011 sections 4.1.1 to 4.1.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from mailshare.core.errors import PolicyRefusal
from mailshare.core.print_abilities import Abilities
from mailshare.wire.ipp_codes import Status
from mailshare.wire.ipp_template import TEMPLATES, Plain, fits, plain_of
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, text

CHARSETS = ("utf-8", "us-ascii")
LANGUAGE = "en"
_VERSIONS = ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
_MOST_TEXT = 1023
_MOST = {Tag.NAME: 255, Tag.TEXT: _MOST_TEXT, Tag.URI: 1023, Tag.KEYWORD: 255, Tag.MIME_TYPE: 255, Tag.LANGUAGE: 63}


class Refused(PolicyRefusal):
    """A request that is answered with an error.

    :param status: the status code of the answer.
    :param unsupported: attributes for its unsupported-attributes group.
    """

    def __init__(self, status: Status, why: str, unsupported: Sequence[Attribute] = ()) -> None:
        super().__init__(why)
        self.ipp_status = status
        self.unsupported = tuple(unsupported)


@define
class Request:
    """A request in the form in which operations look at it.

    :ivar ignored: what it asked for and does not get; it goes into the answer.
    :ivar authenticated: the name that the transport has proved, or empty.
    """

    message: Message
    ignored: list[Attribute] = field(factory=list)
    authenticated: str = ""

    @property
    def operation(self) -> Group:
        """The operation attributes."""
        return self.message.group(Tag.OPERATION)

    def check(self) -> None:
        """The checks that come before all others.

        :raises Refused: version, request-id, groups, charset or language are not as they must be.
        """
        message = self.message
        if message.version[0] not in (1, 2):
            raise Refused(Status.VERSION_NOT_SUPPORTED, "Only versions 1.x and 2.x of IPP are spoken here")
        if message.request_id <= 0:
            raise Refused(Status.BAD_REQUEST, "The request-id must be greater than 0")
        if not message.groups or message.groups[0].tag != Tag.OPERATION:
            raise Refused(Status.BAD_REQUEST, "The first group must be that of the operation")
        if sum(group.tag == Tag.OPERATION for group in message.groups) > 1:
            raise Refused(Status.BAD_REQUEST, "There are two groups of operation attributes")
        first = message.groups[0].attributes[:2]
        if [one.name for one in first] != ["attributes-charset", "attributes-natural-language"]:
            raise Refused(
                Status.BAD_REQUEST, "attributes-charset and attributes-natural-language must come first, in this order"
            )
        if first[0].first.tag != Tag.CHARSET or first[1].first.tag != Tag.LANGUAGE:
            raise Refused(Status.BAD_REQUEST, "Charset or language are of the wrong kind")
        if first[0].first.text.lower() not in CHARSETS:
            raise Refused(Status.CHARSET_NOT_SUPPORTED, "The charset must be utf-8 or us-ascii", first[:1])
        for group in message.groups:
            _well_formed(group)

    def get(self, name: str, *tags: int) -> Value | None:
        """The single value of an operation attribute, or ``None`` when it is absent.

        :raises Refused: it is of another kind, or has several values.
        """
        attribute = self.operation.get(name)
        if attribute is None or attribute.out_of_band:
            return None
        if len(attribute.values) > 1 or attribute.first.tag not in tags:
            raise Refused(Status.BAD_REQUEST, f"{name} is of the wrong kind", [attribute])
        return attribute.first

    def text(self, name: str, *tags: int, default: str = "") -> str:
        """The words of an operation attribute."""
        value = self.get(name, *(tags or (Tag.KEYWORD,)))
        return default if value is None else value.text

    def name(self, name: str, default: str = "") -> str:
        """The words of a ``name`` attribute, with or without language."""
        return self.text(name, Tag.NAME, Tag.NAME_WITH_LANGUAGE, default=default)

    def uri(self, name: str) -> str:
        """The words of a ``uri`` attribute; empty when it is absent."""
        return self.text(name, Tag.URI)

    def number(self, name: str) -> int | None:
        """An ``integer`` attribute."""
        value = self.get(name, Tag.INTEGER)
        return None if value is None else value.number

    def truth(self, name: str) -> bool | None:
        """A ``boolean`` attribute."""
        value = self.get(name, Tag.BOOLEAN)
        return None if value is None else value.data is True

    def words(self, name: str, *tags: int) -> tuple[str, ...] | None:
        """All values of an operation attribute; ``None`` when it is absent."""
        attribute = self.operation.get(name)
        if attribute is None:
            return None
        if any(value.tag not in (tags or (Tag.KEYWORD,)) for value in attribute.values):
            raise Refused(Status.BAD_REQUEST, f"{name} is of the wrong kind", [attribute])
        return attribute.texts()

    @property
    def user(self) -> str:
        """Who asks: as was proved, else as he calls himself; cleaned of controls and half characters.

        Source: RFC 8011 section 9.3, the most authenticated name.
        """
        return self.authenticated or printable(self.name("requesting-user-name")) or "anonymous"

    def options(self, group: Group, abilities: Abilities, *, others: Iterable[str] = ()) -> dict[str, Plain]:
        """The Job Template attributes of a group that this printer takes; the others are noted as ignored.

        :param others: names that may stand in the group and are no template attributes.
        """
        taken: dict[str, Plain] = {}
        for attribute in group.attributes:
            if attribute.name in others:
                continue
            template = TEMPLATES.get(attribute.name)
            if template is None:
                self.ignored.append(Attribute(attribute.name, (Value(Tag.UNSUPPORTED),)))
            elif not _takes(attribute, abilities):
                self.ignored.append(attribute)
            else:
                taken[attribute.name] = plain_of(attribute)
        return taken

    def refuse_ignored(self, status: Status = Status.ATTRIBUTES_NOT_SUPPORTED) -> None:
        """For those who want all or nothing.

        :raises Refused: something was ignored.
        """
        if self.ignored:
            names = ", ".join(sorted({one.name for one in self.ignored}))
            raise Refused(status, f"Not supported as asked for: {names}", self.ignored)


def _takes(attribute: Attribute, abilities: Abilities) -> bool:
    template = TEMPLATES[attribute.name]
    if any(value.tag not in template.tags for value in attribute.values):
        return False
    if len(attribute.values) > 1 and not template.many:
        return False
    value = plain_of(attribute)
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return fits(template, value, abilities)


def _well_formed(group: Group) -> None:
    """Names once in a group, and strings not longer than their kind allows (RFC 8011 section 5.1)."""
    names = set()
    for attribute in group.attributes:
        if attribute.name in names:
            raise Refused(Status.BAD_REQUEST, f"{printable(attribute.name)} stands twice in a group")
        names.add(attribute.name)
        for value in attribute.values:
            most = _MOST.get(Tag(value.tag)) if value.tag in _MOST else None
            if most is not None and len(value.text.encode("utf-8", "surrogateescape")) > most:
                raise Refused(
                    Status.VALUE_TOO_LONG,
                    f"{printable(attribute.name)} is longer than {most} octets",
                    [Attribute(attribute.name, (Value(value.tag, value.text[: most // 4]),))],
                )


def printable(words: str) -> str:
    """Words of a client as they may be stored and shown: whole characters, no controls."""
    whole = words.encode("utf-8", "replace").decode("utf-8")
    return "".join(one for one in whole if one.isprintable()).strip()[:_MOST_TEXT]


def answer(request: Message, status: Status, message: str = "", groups: Sequence[Group] = ()) -> Message:
    """The response to a request, in its version as far as that is spoken here (RFC 8011 section 4.1.8)."""
    version = request.version if request.version in _VERSIONS else (2, 0) if request.version[0] == 2 else (1, 1)
    operation = [
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, LANGUAGE),)),
    ]
    if message:
        operation.append(text("status-message", message[:255]))
    return Message(version, status, request.request_id, (Group(Tag.OPERATION, tuple(operation)), *groups))


def unsupported_group(attributes: Sequence[Attribute]) -> tuple[Group, ...]:
    """The group of what was not supported; none when there is nothing to tell."""
    return (Group(Tag.UNSUPPORTED_GROUP, tuple(attributes)),) if attributes else ()


def wanted(request: Request, groups_of: dict[str, frozenset[str]], *, default: Sequence[str]) -> set[str] | None:
    """Names that ``requested-attributes`` asks for; ``None`` = all.

    :param groups_of: names of groups of attributes, with what belongs to each.
    """
    asked = request.words("requested-attributes")
    names = set(default if asked is None else asked)
    if "all" in names:
        return None if names == {"all"} else {*names}
    for group in tuple(names):
        names |= groups_of.get(group, frozenset())
    return names


def chosen(
    attributes: Iterable[Attribute], names: set[str] | None, *, only_asked: frozenset[str] = frozenset()
) -> tuple[Attribute, ...]:
    """Those attributes that are wanted.

    :param only_asked: names that ``all`` does not stand for, since they are long.
    """
    everything = names is None or "all" in names
    asked = names or set()
    return tuple(one for one in attributes if one.name in asked or (everything and one.name not in only_asked))
