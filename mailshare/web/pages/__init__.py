"""The manager's pages; each module holds those of one screen."""

from mailshare.web.pages import (
    accounts,
    book,
    dashboard,
    entering,
    fax_boxes,
    faxes,
    first_listening,
    first_run,
    handed_links,
    health,
    journal,
    mail_programs,
    mailboxes,
    manual,
    outbox,
    people,
    printers,
    settings,
    several_people,
    timetables,
    work_list,
)
from mailshare.web.routing import Page

PAGES: tuple[Page, ...] = (
    *entering.PAGES,
    *first_run.PAGES,
    *first_listening.PAGES,
    *dashboard.PAGES,
    *accounts.PAGES,
    *timetables.PAGES,
    *several_people.PAGES,
    *people.PAGES,
    *work_list.PAGES,
    *outbox.PAGES,
    *mailboxes.PAGES,
    *journal.PAGES,
    *printers.PAGES,
    *fax_boxes.PAGES,
    *faxes.PAGES,
    *book.PAGES,
    *health.PAGES,
    *settings.PAGES,
    *mail_programs.PAGES,
    *manual.PAGES,
    *handed_links.PAGES,
)

__all__ = ["PAGES"]
