"""What other collectors remember: fetchmail's ``.fetchids``, getmail's ``oldmail-*`` and mpop's uidls file.

All three list unique-ids of messages that were fetched and left at the provider. A file of fetchmail or mpop may hold
several logins; one of getmail has its login in its name only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import unquote

from attrs import evolve, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.folders import INBOX

_GETMAIL_NAME = re.compile(r"oldmail-(?P<host>.+?)-(?P<port>[0-9]{1,5})-(?P<login>.+)\Z")
_GETMAIL_STRIPPED = re.compile(r"[/\\:;<>|]+")
_MPOP_HEAD = re.compile(r" ([0-9]+) (\S+) (.+)\Z")
_GETMAIL_IMAP = re.compile(r"[0-9]{1,10}/[0-9]{1,10}\Z")
_UID = re.compile(r"[!-~]{1,255}\Z")
_MOST = 1_000_000


@frozen
class UidList:
    """The ids of one login.

    :ivar program: ``fetchmail``, ``getmail`` or ``mpop``.
    :ivar login: empty where the file does not say.
    :ivar uids: unique-id to when it was fetched, seconds UTC; 0 = the program does not say.
    """

    program: str
    login: str
    host: str
    uids: Mapping[str, int]

    @property
    def who(self) -> str:
        """``login@host``, for people."""
        return f"{self.login}@{self.host}" if self.login else "a login that it does not name"


def read_uid_file(octets: bytes, name: str = "", form: str = "auto") -> Sequence[UidList]:
    """Read a file.

    :param name: of the file, without folders; getmail's says whose it is.
    :param form: ``fetchmail``, ``getmail``, ``mpop``, or ``auto`` to see for oneself.
    :raises PeerFault: it is no such file; lines that make no sense in an otherwise good file are left out.
    """
    form = _guess(octets) if form == "auto" else form
    if form not in _READERS:
        raise PeerFault(f"{form!r} is none of {', '.join(_READERS)}, auto", code=400)
    if octets.count(b"\n") > _MOST:
        raise PeerFault(f"The file has more than {_MOST} lines; that is no mailbox", code=400)
    lines = octets.decode("utf-8", "surrogateescape").splitlines()
    found = [one for one in _READERS[form](lines, name) if one.uids]
    if not found:
        raise PeerFault(f"No unique-ids of {form} were found in it; see --format", code=400)
    return found


def choose(lists: Sequence[UidList], host: str, login: str, said: str = "") -> UidList:
    """The list that belongs to a server and login, or the one that somebody named.

    Ids of somebody else's mailbox could hide new mail, so a login that does not fit is never taken unasked. The host
    may differ, for servers have several names.

    :param said: ``login`` or ``login@host`` as :attr:`UidList.who` has it; empty = find it.
    :raises PeerFault: none fits, or several do.
    """
    if said:
        fitting = [one for one in lists if said in (one.login, one.who)]
    else:
        logins = {login, unquote(login)}
        names = logins | {_GETMAIL_STRIPPED.sub("-", one) for one in logins}
        fitting = [one for one in lists if not one.login or one.login in names or unquote(one.login) in names]
    if len(fitting) > 1:
        fitting = [one for one in fitting if one.host.casefold() == host.casefold()] or fitting
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(sorted(one.who for one in lists))
    whose = f"It is not clear whose ids to take for {login} at {host}"
    raise PeerFault(f"{whose}: the file has {known}; say which with --login", code=400)


def over_imap(lists: Sequence[UidList], login: str, folder: str = "") -> Sequence[UidList]:
    """The lists with their ids as the ledger has those of an IMAP server: ``UIDVALIDITY/UID/FOLDER``.

    Of these programs getmail alone keeps ids of IMAP: a file for each folder, whose name ends with the folder's.

    :param folder: which folder it is of; empty = as the file's name says.
    :raises PeerFault: the ids are none of IMAP, or it is not clear of which folder they are.
    """
    found = []
    names = {_GETMAIL_STRIPPED.sub("-", one) for one in (login, unquote(login))}
    for one in lists:
        uids = {uid: at for uid, at in one.uids.items() if one.program == "getmail" and _GETMAIL_IMAP.match(uid)}
        if not uids:
            continue
        whose = next((name for name in names if one.login.startswith(f"{name}-")), "")
        name = folder or (one.login[len(whose) + 1 :] if whose else "")
        if not name:
            raise PeerFault("It is not clear of which folder these ids are; say it with --folder", code=400)
        name = INBOX if name.upper() == INBOX else name
        found.append(evolve(one, login=whose or one.login, uids={f"{uid}/{name}": at for uid, at in uids.items()}))
    if not found:
        raise PeerFault("There are no ids of an IMAP server in it; only getmail keeps such", code=400)
    return found


def _guess(octets: bytes) -> str:
    if b"\0" in octets:
        return "getmail"
    text = octets.lstrip()
    if b"mpop" in text[:200] or re.search(rb"(?m)^ [0-9]+ \S+ \S", octets):
        return "mpop"
    return "fetchmail"


def _fetchmail(lines: Iterable[str], _name: str) -> Iterable[UidList]:
    """``login@host uid``: the login may hold blanks and ``@``, the host neither, and the id may hold ``@``."""
    logins: dict[tuple[str, str], dict[str, int]] = {}
    for line in lines:
        text = line.lstrip(" \t")
        at = text.find("@")
        blank = re.search(r"[ \t]+", text[at:]) if at > 0 else None
        if blank is None:
            continue
        who, uid = text[: at + blank.start()], text[at + blank.end() :].strip()
        login, _, host = who.rpartition("@")
        if login and host and _UID.match(uid):
            logins.setdefault((login, host), {})[uid] = 0
    return [UidList("fetchmail", login, host, uids) for (login, host), uids in logins.items()]


def _getmail(lines: Iterable[str], name: str) -> Iterable[UidList]:
    """``uid NUL seconds``; the login stands in the file's name, where some characters have become a dash."""
    uids: dict[str, int] = {}
    for line in lines:
        uid, separator, moment = line.strip().partition("\0")
        if separator and _UID.match(uid):
            uids[uid] = int(moment) if moment.isascii() and moment.isdigit() and len(moment) < 12 else 0
    match = _GETMAIL_NAME.match(name)
    return [UidList("getmail", match["login"] if match else "", match["host"] if match else "", uids)]


def _mpop(lines: Iterable[str], _name: str) -> Iterable[UidList]:
    """A line `` count host login``, which begins with a blank, and below it one id a line; ``#`` is a remark."""
    found: list[UidList] = []
    uids: dict[str, int] = {}
    left = 0
    for line in lines:
        head = _MPOP_HEAD.match(line)
        if head and not left:
            uids, left = {}, int(head[1])
            found.append(UidList("mpop", head[3].strip(), head[2], uids))
        elif left and line:
            left -= 1
            if _UID.match(line):
                uids[line] = 0
    return found


_READERS: Mapping[str, Callable[[Iterable[str], str], Iterable[UidList]]] = {
    "fetchmail": _fetchmail,
    "getmail": _getmail,
    "mpop": _mpop,
}
FORMATS = ("auto", *_READERS)
"""What ``--format`` may say."""
