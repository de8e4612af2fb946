"""The verbs of grants: which stand, who may see and end them. They are given and used in the handoffs' own steps."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from andon import wire
from bot.errors import Gone
from bot.policy import Grant, Policy, Routed, Situation, route
from bot.ports import Standing
from bot.scope import Granted, reaches
from bot.store import Store

log = logging.getLogger("andon")

_STANDINGS: Final[Mapping[str, Standing]] = {
    "member": "member", "guest": "guest", "external": "external", "outside": "outside"
}  # fmt: skip
_HOW: Final = {"agent": "gave it up", "person": "ended it"}


class Grants:
    """Tells `bot.gathering` which grants stand, and lets everybody who may end them."""

    def __init__(self, store: Store) -> None:
        """Read and end them in the store."""
        self._store = store

    async def standing(self, agent: str, run: str, requester: str, tool: str) -> tuple[Grant, ...]:
        """Those that stand now for this tool, given to the run, the agent or the requester, as the policy sees them.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        now, found = await self._store.grants.standing(agent)
        return tuple(
            Grant(
                each.given.id,
                each.given.tool,
                each.given.same,
                scope=each.given.scope,
                age_s=(now - each.at).total_seconds(),
                by=each.given.by,
                standing=_STANDINGS.get(each.given.standing, "outside"),
                gate=each.given.gate,
            )
            for each in found
            if each.given.tool == tool and reaches(each.given, agent=agent, run=run, requester=requester)
        )

    async def listed(self, agent: str | None = None) -> list[Granted]:
        """Every grant that stands, of one agent or of all, the newest first.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        return await self._store.grants.all() if agent is None else (await self._store.grants.standing(agent))[1]

    async def revoke(self, grant_id: str, by: wire.Actor, *, agent: str | None = None) -> Granted:
        """End a grant at once: no later open or claim finds it. Returns it as it stood.

        Any person may, as anybody may stop; an agent may give up its own (`agent`).

        Raises:
            Gone: It does not stand (any more), or is another agent's.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        found = next((each for each in await self.listed(agent) if each.given.id == grant_id), None)
        told = f"{by.name} {_HOW.get(by.kind, 'ended it')}."
        if found is None or not await self._store.grants.revoke(found.given.agent, grant_id, why="revoked", told=told):
            msg = f"there is no grant {grant_id[:80]} for you: it has ended, or was never given"
            raise Gone(msg)
        log.info("grant.ended id=%s agent=%s by=%s:%s uses=%d", grant_id, found.given.agent, by.kind, by.id, found.uses)
        return found


async def routed(policy: Policy, situation: Situation, may_give: Callable[[Routed], Awaitable[bool]]) -> Routed:
    """What the policy says, where a grant says yes only if its giver could say yes now (`may_give`)."""
    while True:
        said = route(policy, situation)
        if said.grant is None or said.do != "allow" or await may_give(said):
            return said
        others = tuple(each for each in situation.grants if each.id != said.grant.id)
        situation = replace(situation, grants=others)
