"""Makes ``twistd mailshare`` known. Imports nothing heavy, so that ``twistd --help`` stays quick."""

from twisted.application.service import ServiceMaker

mailshare = ServiceMaker(
    "mailshare",
    "mailshare.tap",
    "Share one mailbox among many people, print by mail, fax by mail.",
    "mailshare",
)
