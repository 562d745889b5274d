"""Every seam of mailshare. What a third party may replace is an interface here, and nothing else is.

Each facet has a module here; all names can be imported from the package itself.

Rules: methods carry no ``self``; results are ``Awaitable`` so that both ``async def`` and functions that return a
Deferred satisfy them; a method without ``Awaitable`` is called on the reactor thread and must not wait.
Each interface has a contract test class in :mod:`mailshare.testing` that third parties run on their own providers.
Errors are those of :mod:`mailshare.core.errors`; anything else that escapes is treated as a program error.
"""

from __future__ import annotations

from mailshare.interfaces.administration import (
    IAdministration,
    IAdministrators,
    IApiTokens,
    IFirstRun,
    IHandoutLinks,
    IHandouts,
    ISetupCode,
    IWebSessions,
)
from mailshare.interfaces.avatars import (
    IAvatarAuthor,
    IGate,
    IMailboxOpener,
    ISession,
    ISubmission,
    ISubmitter,
    IVerifierSource,
    IWholeEnvelopes,
)
from mailshare.interfaces.bodies import IBody, IBodySink, IReadyBody
from mailshare.interfaces.delivery import (
    IAgent,
    IForecast,
    IGateway,
    IIntake,
    ILaned,
    IReportDetails,
    IRouter,
    ISettled,
)
from mailshare.interfaces.directory import IDirectoryStore, ISettings
from mailshare.interfaces.documents import IDocuments, IMadeDocument
from mailshare.interfaces.events import IEventLog, IMemory
from mailshare.interfaces.fax import (
    IFaxCall,
    IFaxLine,
    IFaxLineSurroundings,
    IFaxOffer,
    IFaxOffers,
    IFaxPages,
    IFaxReceiver,
    IPolledLine,
    IPollingLine,
)
from mailshare.interfaces.mailboxes import IForesightedMaildrop, IMailboxes, IMaildrop
from mailshare.interfaces.printing import (
    IPrintable,
    IPrinterDriver,
    IPrinterKind,
    IPrintJobs,
    IPrintReplies,
    IPrintTeller,
    IPrintWay,
)
from mailshare.interfaces.printing_server import IPrintSets
from mailshare.interfaces.provider import (
    ICollecting,
    IFactory,
    ISecrets,
    ISurroundings,
    ITokenSource,
    IWatch,
    IWatching,
)
from mailshare.interfaces.queue import ILedger, INotifier, IQueue
from mailshare.interfaces.store import IDelivery, IStore

__all__ = [
    "IAdministration",
    "IAdministrators",
    "IAgent",
    "IApiTokens",
    "IAvatarAuthor",
    "IBody",
    "IBodySink",
    "ICollecting",
    "IDelivery",
    "IDirectoryStore",
    "IDocuments",
    "IEventLog",
    "IFactory",
    "IFaxCall",
    "IFaxLine",
    "IFaxLineSurroundings",
    "IFaxOffer",
    "IFaxOffers",
    "IFaxPages",
    "IFaxReceiver",
    "IFirstRun",
    "IForecast",
    "IForesightedMaildrop",
    "IGate",
    "IGateway",
    "IHandoutLinks",
    "IHandouts",
    "IIntake",
    "ILaned",
    "ILedger",
    "IMadeDocument",
    "IMailboxOpener",
    "IMailboxes",
    "IMaildrop",
    "IMemory",
    "INotifier",
    "IPolledLine",
    "IPollingLine",
    "IPrintJobs",
    "IPrintReplies",
    "IPrintSets",
    "IPrintTeller",
    "IPrintWay",
    "IPrintable",
    "IPrinterDriver",
    "IPrinterKind",
    "IQueue",
    "IReadyBody",
    "IReportDetails",
    "IRouter",
    "ISecrets",
    "ISession",
    "ISettings",
    "ISettled",
    "ISetupCode",
    "IStore",
    "ISubmission",
    "ISubmitter",
    "ISurroundings",
    "ITokenSource",
    "IVerifierSource",
    "IWatch",
    "IWatching",
    "IWebSessions",
    "IWholeEnvelopes",
]
