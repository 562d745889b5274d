"""``mailshare account probe``: how the provider marks the mail of an account, as a table with a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from mailshare.assembly.changes import Hasher
from mailshare.assembly.work_list import WorkList
from mailshare.core.errors import Declared, PolicyRefusal, Unavailable
from mailshare.core.provider_style import ENOUGH, RECEIVED_FOR, KindCount, Style, detect
from mailshare.core.values import Account, AccountMode
from mailshare.interfaces import IStore
from mailshare.isp.probing import LARGEST_WHOLE, Look, Probe


class Probing(WorkList):
    """Looks at the provider's mailbox without taking anything.

    :param probe: signs on at the provider; ``None`` where nothing may go out.
    """

    def __init__(
        self,
        store: IStore,
        hasher: Hasher,
        seal: Callable[[str], str],
        clock: Callable[[], int],
        probe: Probe | None = None,
    ) -> None:
        super().__init__(store, hasher, seal, clock)
        self._probe = probe

    async def probe_account(self, *, address: str, write: bool = False) -> Mapping[str, object]:
        """Read the newest headers at the provider and say what they show.

        :param write: keep what was found as settings by hand, which nothing overrules.
        :raises Declared: write, and the account stands in the file: what to write there is in the sentence.
        """
        account = self._account(address)
        if self._probe is None:
            raise Unavailable("Nothing may be asked of the provider from here")
        look = await self._probe.look(account, self._directory())
        style = detect(look.sightings, account, self._directory())
        settings = style.settings()
        if write:
            await self._write(account, settings)
        return {
            "account": str(account.address),
            "mode": account.mode.value,
            "waiting": look.waiting,
            "mails": style.mails,
            "enough": style.enough,
            "kinds": [_kind(one) for one in style.kinds],
            "evidence": style.evidence,
            "share": round(style.share, 3),
            "bcc_safe": style.bcc_safe,
            "one_copy_each": style.one_copy_each,
            "copies": round(style.copies, 2),
            "trusted_by": list(style.trusted_by),
            "settings": settings,
            "file": _for_the_file({**account.options, **settings}) if settings else "",
            "written": write,
            "managed_by": account.managed_by,
            "words": _words(account, style, look),
        }

    async def _write(self, account: Account, settings: Mapping[str, object]) -> None:
        if not settings:
            raise PolicyRefusal("There is nothing to write: too little mail lies there, or it shows nothing")
        options = {**account.options, **settings}
        if account.managed_by:
            raise Declared(
                f"This account is declared at {account.managed_by}; write there: {_for_the_file(options)}"
            )
        await self.change_account(address=str(account.address), options=options)


def _kind(one: KindCount) -> dict[str, object]:
    return {
        "header": one.name,
        "present": one.present,
        "trusted": one.trusted,
        "inside": one.inside,
        "distinct": one.distinct,
        "together": one.together,
        "tagged": one.tagged,
        "copies": round(one.copies, 2),
    }


def _for_the_file(options: Mapping[str, object]) -> str:
    """The options as one line of the configuration file; JSON's strings and lists are TOML's as well."""
    parts = ", ".join(f"{name} = {_toml(value)}" for name, value in options.items())
    return f"options = {{ {parts} }}"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return json.dumps(value)


def _words(account: Account, style: Style, look: Look) -> list[str]:
    """The verdict, sentence by sentence."""
    words = []
    if not look.by_top:
        words.append(
            f"The provider gives no headers alone (TOP); whole messages up to {LARGEST_WHOLE // 1024} KiB were read."
        )
    if not style.enough:
        words.append(f"{style.mails} messages were read; {ENOUGH} are needed to say something. Try again later.")
        return words
    percent = round(100 * style.share)
    if style.evidence == "to/cc":
        words.append("The provider does not write whom a message is for; only To and Cc are left to sort by.")
    else:
        name = "the for clause of Received" if style.evidence == RECEIVED_FOR else style.evidence
        words.append(f"Sorted by {name}; {percent} % of the mail says whom it is for.")
    words.append(f"Bcc-safe: {'yes' if style.bcc_safe else 'no'}.")
    if account.mode is AccountMode.DOMAIN:
        words.append(f"One copy per recipient: {style.one_copy_each}.")
    hosts = ", ".join(style.trusted_by)
    words.append(f"The provider's hosts: {hosts or 'not to be made out; the first Received is the limit of trust'}.")
    return words
