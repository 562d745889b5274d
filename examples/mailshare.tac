"""Runs an office from a .tac file: MAILSHARE_CONFIG=mailshare.toml twistd -ny mailshare.tac."""

import os

from twisted.application.service import Application
from twisted.internet import reactor

import mailshare

application = Application("mailshare")
config = mailshare.load_config(os.environ.get("MAILSHARE_CONFIG", "mailshare.toml"))
mailshare.build_service(config, reactor).setServiceParent(application)
