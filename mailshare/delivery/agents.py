"""The agents of the queue by name.

Local mailboxes need no agent: they are filled in the transaction of the door, so mail between colleagues never waits in
a queue and cannot be lost between two of them. What leaves this machine is handed on by an agent: ``relay`` through the
provider, and others for printers and fax lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailshare.core.errors import ConfigFault
from mailshare.interfaces import IAgent


class Agents:
    """A registry.

    :param agents: those to begin with.
    :param paced: names of agents that act only when told to by a timetable, not as soon as a row is due.
    """

    def __init__(self, agents: Iterable[IAgent] = (), paced: Iterable[str] = ("relay",)) -> None:
        self._agents: dict[str, IAgent] = {}
        self._paced = frozenset(paced)
        for agent in agents:
            self.add(agent)

    def add(self, agent: IAgent) -> None:
        """Take in an agent.

        :raises ConfigFault: it has no name, or another one has it.
        """
        if not agent.name or agent.name in self._agents:
            raise ConfigFault(f"Two agents are called {agent.name!r}, or one has no name")
        self._agents[agent.name] = agent

    def get(self, name: str) -> IAgent:
        """The agent of that name.

        :raises ConfigFault: there is none.
        """
        agent = self._agents.get(name)
        if agent is None:
            raise ConfigFault(f"There is no agent {name!r}")
        return agent

    def paced(self, name: str) -> bool:
        """Whether a timetable decides when this one acts."""
        return name in self._paced

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)
