"""The folders of an account at the provider that mail is collected from, each with its role.

``folders`` among an account's options: a list of names, or of ``{ name = "Spam", role = "junk" }``; or the word
``automatic``: the inbox, and the folder that the server itself says is for junk. Without it the inbox alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

AUTOMATIC = "automatic"
INBOX = "INBOX"
ROLES = ("inbox", "junk")


@frozen
class Folder:
    """One folder.

    :ivar name: as people write it; INBOX in any case.
    :ivar role: ``inbox``, or ``junk``: what comes from there is marked as such, and no machine answers it.
    """

    name: str
    role: str = ROLES[0]

    @property
    def junk(self) -> bool:
        """It is for what the provider takes for junk."""
        return self.role == "junk"


def folder_lines(folder: str, *, junk: bool) -> bytes:
    """The header lines of each copy of a message that did not lie in the inbox.

    ``X-Spam-Flag: YES`` is what the filters of mail programs look for.
    """
    if not folder:
        return b""
    flag = "X-Spam-Flag: YES\r\n" if junk else ""
    return f"X-Mailshare-Folder: {_shown(folder)}\r\n{flag}".encode()


def folder_words(folder: str, *, junk: bool) -> str:
    """The same in words."""
    return f"{_shown(folder)}, for what the provider takes for junk" if junk else _shown(folder)


def _shown(folder: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in folder)[:150]


def folders_of(options: Mapping[str, object]) -> tuple[Folder, ...]:
    """The folders of an account's options; none = to be found by what the server says. What makes no sense is left out.

    :param options: of an account.
    """
    given = options.get("folders", (INBOX,))
    if given == AUTOMATIC:
        return ()
    found: dict[str, Folder] = {}
    for one in given if isinstance(given, list | tuple) else ():
        folder = _folder(one)
        if folder is not None:
            found.setdefault(folder.name, folder)
    return tuple(found.values()) or (Folder(INBOX),)


def folder_faults(options: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with ``folders``."""
    given = options.get("folders", AUTOMATIC)
    if given == AUTOMATIC:
        return
    if not isinstance(given, list | tuple) or not given:
        yield 'must be "automatic", or a list: folders = ["INBOX", { name = "Spam", role = "junk" }]'
        return
    names = []
    for one in given:
        folder = _folder(one)
        if folder is None:
            yield f'{str(one)[:80]!r} is no folder; write "INBOX", or {{ name = "Spam", role = "junk" }}'
        elif folder.role not in ROLES:
            yield f"the role {folder.role!r} is unknown; known are {', '.join(ROLES)}"
        elif folder.name in names:
            yield f"the folder {folder.name} stands there twice"
        else:
            names.append(folder.name)


def _folder(given: object) -> Folder | None:
    role: object = ROLES[0]
    name = given
    if isinstance(given, Mapping):
        name, role = given.get("name"), given.get("role", role)
        if given.keys() - {"name", "role"}:
            return None
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or not isinstance(role, str):
        return None
    return Folder(INBOX if name.upper() == INBOX else name, role)
