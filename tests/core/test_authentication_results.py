"""What a provider found out about a sender, and what a sender may smuggle into it (RFC 8601)."""

import pytest

from mailshare.core.authentication import is_authenticated
from mailshare.core.evidence import TrustedBlock
from mailshare.core.headers import Headers

HOP = "Received: from far.example by mx.isp.example; x\r\n"
MX = "mx.isp.example"


@pytest.mark.parametrize(
    ("result", "vouched"),
    [
        ("dmarc=pass header.from=company.example", True),
        ("dkim=pass (2048-bit key; unprotected) header.d=company.example header.i=@company.example", True),
        ("dkim=pass header.d=Company.Example; spf=fail smtp.mailfrom=x@far.example", True),
        ('dkim=pass header.d="company.example"', True),
        ("spf=pass (isp.example: domain of a@mail.company.example) smtp.mailfrom=a@mail.company.example", True),
        ("auth=pass smtp.auth=mail@company.example", True),
        ("dkim=fail header.d=company.example", False),
        ("dkim=pass header.d=company.example.evil.example", False),
        ("dkim=pass header.d=evilcompany.example", False),
        ("spf=pass smtp.helo=company.example", False),
        ("spf=pass smtp.mailfrom=a@evil.example header.from=company.example", False),
        ("none", False),
        # a sender writes his own return path
        ('spf=pass smtp.mailfrom="a; dkim=pass header.d=company.example "@evil.example', False),
        ('spf=pass smtp.mailfrom="a smtp.mailfrom=company.example "@evil.example', False),
        ('spf=pass (of "a; dkim=pass header.d=company.example b"@evil.example) smtp.mailfrom=evil.example', False),
        ('spf=pass (of "a) ; dkim=pass header.d=company.example ("@evil.example) smtp.mailfrom=x@evil.example', False),
        ("spf=pass (a (b) ; dkim=pass header.d=company.example ; c) smtp.mailfrom=x@evil.example", False),
        ("spf=fail (unclosed ; dkim=pass header.d=company.example", False),
        ('spf=pass smtp.mailfrom="a\\" ; dkim=pass header.d=company.example ; "@evil.example', False),
    ],
)
def test_the_provider_vouches(result: str, vouched: bool):
    """Only a result of its own, for this domain; never what stands in quotes or comments."""
    headers = Headers.parse(f"Authentication-Results: {MX}; {result}\r\n{HOP}From: x\r\n\r\n".encode())
    assert is_authenticated(TrustedBlock.of(headers), "company.example") is vouched


def test_below_the_block_nobody_vouches():
    """Whoever writes a message can write this field too."""
    headers = Headers.parse(f"{HOP}Authentication-Results: {MX}; dmarc=pass header.from=company.example\r\n".encode())
    assert not is_authenticated(TrustedBlock.of(headers), "company.example")
