"""What exists of an office between its start and its stop."""

from __future__ import annotations

from typing import Any

from attrs import define

from mailshare.assembly.acts_on_need import ActsOnNeed
from mailshare.assembly.control_door import ControlDoor
from mailshare.assembly.declared import DeclaredObjects
from mailshare.assembly.document_room import DocumentRoom
from mailshare.assembly.doorkeeping import Doorkeeping
from mailshare.assembly.entrance import Entrance
from mailshare.assembly.fax_room import FaxRoom
from mailshare.assembly.housekeeping import Housekeeping
from mailshare.assembly.journal_room import JournalRoom
from mailshare.assembly.listening import Listeners
from mailshare.assembly.mail_room import MailRoom
from mailshare.assembly.opening import Threads
from mailshare.assembly.print_door import PrintDoor
from mailshare.assembly.pulse import Pulse
from mailshare.assembly.web_room import WebRoom
from mailshare.interfaces import IStore


@define
class Parts:
    """What exists between start and stop."""

    store: IStore
    threads: Threads
    room: MailRoom
    printing: PrintDoor
    documents: DocumentRoom
    fax: FaxRoom
    declared: DeclaredObjects
    entrance: Entrance
    listeners: Listeners
    housekeeping: Housekeeping
    journal: JournalRoom
    acts: ActsOnNeed
    pulse: Pulse
    door: ControlDoor
    keeping: Doorkeeping
    web: WebRoom
    control: Any = None
