"""What somebody needs to connect a mail program: values, files for programs, answers for those that ask by themselves.

Everything here is a pure function of one :class:`Handout`. The mail domain nearly always belongs to the provider, so a
program that looks settings up by the domain's name finds the provider and not this server; what is handed out to one
person is therefore the main road, and the forms that go by domain are for names of the local network.
"""

from mailshare.web.handout.autoconfig import domain_autoconfig, user_autoconfig
from mailshare.web.handout.autodiscover import autodiscover, requested_address
from mailshare.web.handout.cautions import Caution, cautions
from mailshare.web.handout.description import Authority, Certificate, Door, Handout, Identity
from mailshare.web.handout.dns_records import dns_records
from mailshare.web.handout.formats import FORMATS, Rendered, render
from mailshare.web.handout.mobileconfig import Signer, authority_profile, mobileconfig, signed
from mailshare.web.handout.page import page, slip
from mailshare.web.handout.programs import fetchmail, getmail, mpop, msmtp, thunderbird

__all__ = [
    "FORMATS",
    "Authority",
    "Caution",
    "Certificate",
    "Door",
    "Handout",
    "Identity",
    "Rendered",
    "Signer",
    "authority_profile",
    "autodiscover",
    "cautions",
    "dns_records",
    "domain_autoconfig",
    "fetchmail",
    "getmail",
    "mobileconfig",
    "mpop",
    "msmtp",
    "page",
    "render",
    "requested_address",
    "signed",
    "slip",
    "thunderbird",
    "user_autoconfig",
]
