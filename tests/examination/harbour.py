"""A second office for the examination, with people whose names are traps for each other."""

from __future__ import annotations

from mailshare.core.address import Address
from mailshare.core.values import Account, AccountMode, Server
from tests.examination.conftest import Staff

BOX = "desk@harbour.example"
PEOPLE = (
    ("max", ("Max Stone",)),
    ("maxine", ("Maxine Stone",)),
    ("jeanluc", ("Jean-Luc Martin",)),
    ("martin", ("Martin Jean",)),
    ("kim", ("Kim Park",)),
    ("park", ("Park Min-jun",)),
    ("wei", ("Wei Li",)),
    ("liwei", ("Li Wei",)),
    ("ibrahim", ("İbrahim Işık",)),
    ("strauss", ("Eva Strauß",)),
    ("nikos", ("Νίκος Παππάς",)),
    ("an", ("Nguyễn Văn An",)),
    ("david", ("דוד כהן", "David Cohen")),
    ("rd", ("R&D",)),
    ("accounts", ("Accounts Payable", "invoice")),
    ("will", ("Will May",)),
    ("may", ("May Will",)),
    ("jose", ("José Núñez",)),
    ("jose2", ("Jose Nunez",)),
    ("tanaka", ("田中 太郎",)),
)
HARBOUR = Staff(PEOPLE, ("max", "kim", "jose2"), "kim")
EVERYBODY = ", ".join(sorted(f"{name} public" for name, _ in PEOPLE))
SHARED = Account(
    0,
    0,
    Address("desk", "harbour.example"),
    aliases=(Address("hello", "harbour.example"),),
    options={"ignore_names": ["Harbour Office", "Harbour Ltd"]},
)
CATCH_ALL = Account(
    0,
    0,
    Address("all", "harbour.example"),
    AccountMode.DOMAIN,
    domains=("harbour.example", "quay.example"),
    collect=Server("pop3", "pop.isp.example", 995, login="pop-4711"),
)
