"""How far trust has grown, for people to see and to take back. The scripts count; the policy says what it means."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Literal
from urllib.parse import unquote

from andon import wire
from bot.errors import Gone
from bot.handoff import Handoff
from bot.policy import Policy
from bot.policy._terms import Ramp
from bot.store import Store, Trusted

log = logging.getLogger("andon.trust")

Stage = Literal["asked", "reviewed", "sampled", "allowed"]
_BAD: Final = frozenset({"rejected", "failed", "undone", "undo_failed"})
_PARTS: Final = frozenset({"agent", "tool", "requester"})


class TrustBook:
    """The ramps of one service."""

    def __init__(self, store: Store, policy: Callable[[], Policy]) -> None:
        """`policy` gives the one in force."""
        self._store = store
        self._policy = policy

    async def all(self) -> list[wire.Trust]:
        """Every ramp that has moved, the latest first."""
        policy = self._policy()
        return [told(each, policy) for each in await self._store.trust.all()]

    async def reset(self, key: str, by: str) -> wire.Trust:
        """Let one start over.

        Raises:
            Gone: There is none of that name.
        """
        if not await self._store.trust.reset(key, by):
            msg = f"there is no trust ramp {key[:80]}; GET /v1/trust and `python -m bot trust list` show them"
            raise Gone(msg)
        found = await self._store.trust.one(key)
        if found is None:  # pragma: no cover  # it lives for 400 days
            raise Gone(f"the trust ramp {key[:80]} is gone")
        log.info("trust.reset key=%s ramp=%s why=person", key, found.ramp)
        return told(found, self._policy())


def note_end(handoff: Handoff, how: str) -> None:
    """A line in the log when this end sends a trust ramp back; the script has done it."""
    if handoff.route.ramp and how in _BAD:
        log.info("trust.reset id=%s ramp=%s why=%s", handoff.id, handoff.route.ramp, how)


def told(trusted: Trusted, policy: Policy) -> wire.Trust:
    """One ramp as people read it."""
    rule, parts = parts_of(trusted.ramp)
    ramp = ramp_of(policy, rule)
    stage, following = stage_of(ramp, trusted.good) if ramp else (None, None)
    return wire.Trust(
        key=trusted.id,
        rule=rule,
        agent=parts.get("agent"),
        tool=parts.get("tool"),
        requester=parts.get("requester"),
        good=trusted.good,
        stage=stage,
        next_stage_at=following,
        moved_at=trusted.at,
        reset_at=trusted.reset_at,
        reset_why=trusted.reset_why or None,
        reset_by=trusted.reset_by or None,
    )


def parts_of(text: str) -> tuple[str, Mapping[str, str]]:
    """A ramp's rule, and what it tells apart; the reverse of `bot.policy.ramp_key`."""
    rule, *rest = text.split("|")
    pairs = (part.partition("=") for part in rest)
    return rule, {name: unquote(value) for name, _, value in pairs if name in _PARTS}


def ramp_of(policy: Policy, rule: str) -> Ramp | None:
    """The ramp that a rule has now."""
    found = next((each for each in policy.rules if each.name == rule), None)
    if found is None and rule != "default":
        return None
    return (found.ramp if found else None) or policy.defaults.ramp


def stage_of(ramp: Ramp, good: int) -> tuple[Stage, int | None]:
    """What happens to the next one, and the good ends at which that changes."""
    if good < ramp.ask:
        return "asked", ramp.ask
    if good < ramp.ask + ramp.review:
        return "reviewed", ramp.ask + ramp.review
    return ("sampled" if ramp.sample else "allowed"), None
