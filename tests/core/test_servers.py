"""Server URLs: what they mean, what is refused, and that they survive writing and reading."""

from __future__ import annotations

import pytest

from mailshare.core.errors import ConfigFault
from mailshare.core.servers import format_server, parse_server
from mailshare.core.values import Server


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("pop3s://mail@pop.isp.example", Server("pop3", "pop.isp.example", 995, "implicit", "mail")),
        ("pop3://mail@pop.isp.example", Server("pop3", "pop.isp.example", 110, "starttls", "mail")),
        ("imaps://h", Server("imap", "h", 993)),
        ("imap://h", Server("imap", "h", 143, "starttls")),
        ("smtp://h", Server("smtp", "h", 587, "starttls")),
        ("submissions://h", Server("smtp", "h", 465)),
        ("submission://h:2525?tls=none", Server("smtp", "h", 2525, "none")),
        ("pop3s://mail@c.example@pop.example", Server("pop3", "pop.example", 995, "implicit", "mail@c.example")),
        ("pop3s://mail%40x%20y@h", Server("pop3", "h", 995, "implicit", "mail@x y")),
        ("pop3s://[2001:db8::1]:9995", Server("pop3", "2001:db8::1", 9995)),
        ("pop3s://127.0.0.1?ca=/etc/ca.pem", Server("pop3", "127.0.0.1", 995, options={"ca": "/etc/ca.pem"})),
        ("POP3S://h", Server("pop3", "h", 995)),
    ],
)
def test_urls_become_servers_and_come_back(url: str, server: Server) -> None:
    """Scheme, login, host, port and options mean what the docs say, and writing is the inverse of reading."""
    assert parse_server(url) == server
    assert parse_server(format_server(server)) == server


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("pop.isp.example", "must start with"),
        ("http://h", "must start with"),
        ("pop3s://", "host name"),
        ("pop3s://h:0", "port"),
        ("pop3s://h:70000", "port"),
        ("pop3s://h:x", "port"),
        ("pop3s://h:", "port"),
        ("pop3s://h/inbox", "may follow the host"),
        ("pop3s://h?tls=maybe", "tls=maybe"),
        ("pop3s://h?tsl=none", "unknown"),
        ("pop3s://h?ca", "name=value"),
        ("pop3s://h?ca=", "no value"),
        ("pop3s://h?ca=a&ca=b", "twice"),
        ("pop3s://h?window=-1", "whole number"),
        ("pop3s://[zz]", "IPv6"),
        ("pop3s://a b@h", "blanks"),
        ("pop3s://a%0d%0aDELE@h", "control"),
    ],
)
def test_wrong_urls_are_refused_with_the_reason(url: str, reason: str) -> None:
    """Each mistake names itself."""
    with pytest.raises(ConfigFault, match=reason):
        parse_server(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    """The error text does not spread the secret into logs."""
    with pytest.raises(ConfigFault) as caught:
        parse_server("pop3s://mail:hunter2@h")
    assert "hunter2" not in str(caught.value)
