"""The command ``mailshare``: asks the running server over its control socket, or opens the store when none runs.

Exit codes: 0 done; 1 refused, or something is wrong; 2 the command or the configuration file was not understood;
3 the server must run for this and does not.
"""

from __future__ import annotations

import click

from mailshare.cli.admin import admin, rule
from mailshare.cli.calling import Context
from mailshare.cli.doctor import doctor
from mailshare.cli.fax_in import fax
from mailshare.cli.files import backup, check, demo, export, restore, verify
from mailshare.cli.handing_out import user_handout
from mailshare.cli.manager_access import manager, setup, setup_url
from mailshare.cli.office import log, mailboxes, outbox, reload_, sendreceive, status, why
from mailshare.cli.people_tables import user_import
from mailshare.cli.personal import user
from mailshare.cli.presence import user_logins, user_unlock
from mailshare.cli.printers import printers
from mailshare.cli.printing import job, jobs, print_
from mailshare.cli.probing import account
from mailshare.cli.provider import fetch
from mailshare.cli.routing import route

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    envvar="MAILSHARE_CONFIG",
    default="mailshare.toml",
    show_default=True,
    help="The configuration file; also by the environment variable MAILSHARE_CONFIG.",
)
@click.version_option(package_name="mailshare")
@click.pass_context
def main(context: click.Context, config: str) -> None:
    """Look after a mailshare server."""
    context.obj = Context(config)


for _of_users in (user_handout, user_import, user_logins, user_unlock):
    user.add_command(_of_users)
for _command in (
    check,
    status,
    doctor,
    sendreceive,
    fetch,
    mailboxes,
    outbox,
    why,
    log,
    user,
    account,
    admin,
    fax,
    rule,
    route,
    printers,
    print_,
    jobs,
    job,
    export,
    backup,
    verify,
    restore,
    reload_,
    demo,
    setup,
    setup_url,
    manager,
):
    main.add_command(_command)
