"""What a grant covers, in words made by us of the arguments themselves: never of the agent's own description. Pure.

Every value is shown in full. An offer whose words would be too long to read is not made.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from andon import wire
from bot.cards.characters import visible, visible_name
from bot.cards.sentences import lasting, moment
from bot.handoff import Handoff, Offer
from bot.scope import LONGEST_S, Given, Granted, as_cel, grant_id, narrowed

MOST_CHARS: Final = 400
"""Of the words of an offer: what is longer is agreed to unread."""

_PLAIN_RE: Final = re.compile(r"[\w@.+/:-]+( [\w@.+/:=-]+)*", re.ASCII)
_LITERAL_RE: Final = re.compile(r"-?[\d.]+([eE][+-]?\d+)?|true|false|null|nan|inf|infinity", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offered:
    """A grant that a card offers beside its yes; `index` is its place in the route."""

    index: int
    label: str
    """The policy's own short words."""
    life: str
    covers: str
    same: Mapping[str, JsonValue]

    @property
    def sentence(self) -> str:
        """All of it: `don't ask again for 1 h: send_email with to = alice@x.com, in this run`."""
        return f"don't ask again for {self.life}: {self.covers}"


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A grant that stands, for a list."""

    id: str
    handoff: str
    by: str
    agent: str
    label: str
    covers: str
    condition: str
    at: datetime
    until: datetime
    uses: int
    last_used: datetime | None

    @property
    def used(self) -> str:
        """How often, and when last."""
        if not self.last_used:
            return "not used yet"
        return f"used {'once' if self.uses == 1 else f'{self.uses:,} times'}, last {moment(self.last_used)}"


def offers(handoff: Handoff) -> tuple[Offered, ...]:
    """What its card offers beside a yes to the arguments as they stand; its answers take these and no other."""
    ask, action = handoff.ask, handoff.action
    route = handoff.route
    if not isinstance(ask, wire.Confirmation) or ask.timing == "after" or action is None:
        return ()
    if route.step_up or len(route.steps) > 1 or route.steps[0].quorum > 1:
        return ()
    found = ((index, each, narrowed(each, action.args)) for index, each in enumerate(route.offers))
    made = (_offered(handoff, action.tool, index, each, same) for index, each, same in found if same is not None)
    return tuple(each for each in made if each and len(each.sentence) <= MOST_CHARS)


def given(handoff: Handoff, offer: Offered, by: wire.Actor) -> Given:
    """The grant that this person gives by taking the offer."""
    action, terms = handoff.action, handoff.route.offers[offer.index]
    assert action  # noqa: S101  # else nothing was offered
    return Given(
        id=grant_id(handoff.id),
        agent=handoff.agent,
        tool=action.tool,
        same=offer.same,
        scope=terms.scope,
        run=handoff.run,
        run_name=handoff.run_name,
        requester=handoff.requester or "",
        life_s=min(terms.life_s, LONGEST_S),
        label=terms.label,
        gate=handoff.ask.gate,
        policy=handoff.route.policy,
        handoff=handoff.id,
        by=by,
    )


def grant_line(granted: Granted) -> GrantLine:
    """A grant as a list shows it."""
    about = granted.given
    where = {
        "run": f"in the run {visible(about.run_name)}",
        "agent": f"in any run of {visible(about.agent)}",
        "requester": f"in any run of {visible(about.agent)} for {visible(about.requester)}",
    }
    return GrantLine(
        id=about.id,
        handoff=about.handoff,
        by=visible(about.by.name),
        agent=visible(about.agent),
        label=visible(about.label),
        covers=f"{in_words(about.tool, about.same)}, {where.get(about.scope, about.scope)}",
        condition=visible(as_cel(about.tool, about.same)),
        at=granted.at,
        until=granted.until,
        uses=granted.uses,
        last_used=granted.last_used,
    )


def as_grant(granted: Granted) -> wire.Grant:
    """A grant as the API tells it."""
    about = granted.given
    return wire.Grant(
        id=about.id,
        agent=about.agent,
        tool=about.tool,
        same=dict(about.same),
        scope=about.scope,
        run=about.run if about.scope == "run" else None,
        requester=about.requester if about.scope == "requester" else None,
        covers=grant_line(granted).covers,
        condition=as_cel(about.tool, about.same),
        label=about.label,
        policy=about.policy,
        handoff=about.handoff,
        by=about.by,
        given_at=granted.at,
        until=granted.until,
        uses=granted.uses,
        last_used_at=granted.last_used,
    )


def in_words(tool: str, same: Mapping[str, JsonValue]) -> str:
    """`send_email with to = alice@x.com`; a text that could be taken for anything else stands in quotes."""
    if not same:
        return f"{visible(tool)} with any arguments"
    parts = [f"{visible_name(name)} = {_value(value)}" for name, value in same.items()]
    last = f" and {parts[-1]}" if parts[1:] else parts[-1]
    return f"{visible(tool)} with {', '.join(parts[:-1])}{last}"


def _value(value: JsonValue) -> str:
    if isinstance(value, str) and _PLAIN_RE.fullmatch(value) and not _LITERAL_RE.fullmatch(value):
        return value
    return visible(json.dumps(value, ensure_ascii=False))


def _offered(handoff: Handoff, tool: str, index: int, offer: Offer, same: Mapping[str, JsonValue]) -> Offered | None:
    match offer.scope:
        case "run":
            where = "in this run"
        case "agent":
            where = f"in any run of {visible(handoff.agent)}"
        case "requester" if handoff.requester:
            where = f"in any run of {visible(handoff.agent)} for {visible(handoff.requester)}"
        case _:
            return None
    life = lasting(min(offer.life_s, LONGEST_S))
    return Offered(index, visible(offer.label), life, f"{in_words(tool, same)}, {where}", same)
