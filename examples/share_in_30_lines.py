"""Share one mailbox of a provider between two people. Usage: python share_in_30_lines.py [DATA [POP3 [SMTP]]]."""

import sys

from twisted.internet import reactor

import mailshare

DATA, POP3, SMTP = (*sys.argv[1:], *("share-var", "8110", "8025")[len(sys.argv) - 1 :])
config = mailshare.parse_config(
    f"""
    [listen]
    pop3 = ["tcp:{POP3}:interface=127.0.0.1"]
    smtp = ["tcp:{SMTP}:interface=127.0.0.1"]
    [[account]]
    address = "mail@company.example"
    collect = "pop3s://mail@pop.isp.example"
    relay = "submissions://mail@smtp.isp.example"
    password = {{ env = "ISP_PASSWORD" }}
    [[user]]
    name = "andrew"
    password = "secret of andrew"
    accounts = ["mail@company.example"]
    [[user]]
    name = "greg"
    password = "secret of greg"
    accounts = ["mail@company.example"]
    """,
    "share.toml",
    data=DATA,
)
office = mailshare.build(config, reactor)
reactor.callWhenRunning(office.startService)
reactor.addSystemEventTrigger("before", "shutdown", office.stopService)
reactor.run()
