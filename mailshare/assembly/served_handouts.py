"""What is told to programs and people without a login: how to connect to this office, and whom to trust."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from typing import cast

from zope.interface import implementer

from mailshare.assembly.handing_out import (
    answered_domains,
    connections_of,
    hand_out,
    is_near,
    served_autoconfig,
)
from mailshare.assembly.shown_certificates import shown_certificate, this_computer_trusts
from mailshare.config import Config
from mailshare.config.endpoint_strings import interface_of, port_of, split_endpoint
from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, NoSuchUser, PeerFault
from mailshare.core.values import Directory
from mailshare.interfaces import IHandouts
from mailshare.web.handout import Authority, Handout, Identity, authority_profile, autodiscover

_PEM = "application/x-pem-file"
_DER = "application/x-x509-ca-cert"
_PROFILE = "application/x-apple-aspen-config"


@implementer(IHandouts)
class ServedHandouts:
    """Of one office.

    :param config: gives the configuration of now.
    :param directory: gives the directory of now.
    """

    def __init__(self, config: Callable[[], Config], directory: Callable[[], Directory]) -> None:
        self._config = config
        self._directory = directory

    def autoconfig(self, address: str) -> str:
        """Mozilla's XML."""
        return served_autoconfig(self._config(), self._directory(), address)

    def autodiscover(self, address: str) -> str:
        """The XML of Autodiscover; the part before the ``@`` is the login, whether there is such a person or not."""
        config = self._config()
        try:
            read = Address.parse(address)
        except PeerFault:
            raise NoSuchUser("That is no address") from None
        if read.domain.casefold() not in answered_domains(config, self._directory()):
            raise NoSuchUser("This server answers for no such domain")
        login = read.local.casefold()
        whom = Handout(
            hostname=config.tables.server.hostname,
            login=login,
            display_name=login,
            identities=(Identity(read),),
            doors=connections_of(config)[0],
        )
        return autodiscover(whom)

    def form(self, login: str, form: str) -> tuple[bytes, str, str]:
        """One person's hand-out in one form."""
        config, directory = self._config(), self._directory()
        if form == "mobileconfig":
            try:
                made = hand_out(config, directory, login, form, sign=True)
                return base64.b64decode(str(made["base64"])), _PROFILE, str(made["file_name"])
            except ConfigFault:
                pass  # there is no key to sign with: an unsigned profile does as well
        made = hand_out(config, directory, login, form)
        return str(made["text"]).encode(), str(made["media_type"]), str(made["file_name"])

    def page(self, login: str) -> Mapping[str, object]:
        """What one person's page shows."""
        return cast("Mapping[str, object]", hand_out(self._config(), self._directory(), login, "page")["page"])

    def authority(self, form: str) -> tuple[bytes, str, str]:
        """The certificate of the private authority."""
        found = self._authority()
        if found is None:
            raise NoSuchUser("This server has no private authority")
        if form == "mobileconfig":
            hostname = self._config().tables.server.hostname
            return authority_profile(found, hostname).encode(), _PROFILE, "mailshare-ca.mobileconfig"
        if form == "pem":
            return found.pem.encode(), _PEM, "mailshare-ca.pem"
        return found.der, _DER, "mailshare-ca.crt"

    def _authority(self) -> Authority | None:
        certificate = shown_certificate(self._config(), this_computer_trusts)
        return certificate.authority if certificate is not None else None

    def url(self) -> str:
        """Where the manager is reached from other computers: inside TLS if it can be."""
        config = self._config()
        found = []
        for one in config.listeners:
            port = port_of(one.endpoint)
            if one.service == "web" and port and not is_near(interface_of(one.endpoint)):
                kind = "https" if split_endpoint(one.endpoint)[0] in ("tls", "ssl") else "http"
                found.append(f"{kind}://{config.tables.server.hostname}:{port}")
        return max(found, key=lambda text: text.startswith("https"), default="")

    def names(self) -> Collection[str]:
        """The names that mail programs put before a catch-all's domain; its DNS must lead here for them to be asked."""
        domains = answered_domains(self._config(), self._directory())
        return {f"{kind}.{domain}" for domain in domains for kind in ("autoconfig", "autodiscover")}
