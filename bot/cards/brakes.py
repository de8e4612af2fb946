"""What a card says of the brake: who pulled it, what is held, and which approvals count afterwards. Pure."""

from andon import wire
from bot.cards.characters import visible
from bot.cards.sentences import lasting, moment
from bot.handoff import Handoff, State

_WORDS = 300
_DID = {"pause": "paused", "stop": "stopped", "abort": "ended"}
_STANDS = "Approvals given before count again once it goes on, unless the arguments change or the run is ended."


def scope_in_words(scope: wire.BrakeScope) -> str:
    """What a brake holds: `this run`, `every run in this conversation`, `all that mailer does`, `every agent`."""
    if scope.run is not None:
        return "this run"
    if scope.conversation is not None:
        return "every run in its conversation"
    return "every agent" if scope.agent is None else f"all that {visible(scope.agent)} does"


def pulled(brake: wire.Braked, what: str = "") -> str:
    """Who pulled it, when and why, e.g. `Mira stopped this run at 22 Nov 2026, 14:02 UTC: not this list`.

    `what` it holds, where that is not plain from its scope.
    """
    who, since = visible(brake.by.name), moment(brake.at)
    words = _short(brake.text or "")
    if brake.action == "steer":
        return f"{who} told the agent at {since}: “{words}” It is on hold until the agent has read that."
    what = what or scope_in_words(brake.scope)
    return f"{who} {_DID[brake.action]} {what} at {since}" + (f": {words}" if words else ".")


def brake_lines(handoff: Handoff) -> tuple[str, ...]:
    """Sentences about the brake; none where it has never mattered or does not any more."""
    lines: list[str] = []
    brake, state = handoff.brake, handoff.state
    if state is State.DECIDED and isinstance(handoff.ask, wire.Confirmation) and handoff.ask.timing == "after":
        brake = None  # it is done already, and no stop keeps anybody from undoing it
    if brake and state in {State.HELD, State.DECIDED}:
        lines.append(pulled(brake))
    if brake and state is State.HELD and handoff.left_s is not None:
        said = "The votes so far stay. " if handoff.votes else ""
        lines.append(f"Nobody can answer now. {said}{_capital(lasting(handoff.left_s))} are left once it goes on.")
    if brake and state is State.DECIDED and brake.action != "abort":
        lines.append(f"The agent cannot act on this decision now. {_STANDS}")
    if brake and state is State.DECIDED and brake.action == "abort":
        lines.append("The agent can never act on this decision.")
    if handoff.heard and not (brake and brake.action == "steer"):
        told = handoff.heard
        lines.append(f"The agent has heard {visible(told.by.name)}: “{_short(told.text)}” ({moment(told.at)})")
    return tuple(lines)


def brake_headline(handoff: Handoff) -> str:
    """The headline of a handoff that is on hold."""
    match handoff.brake.action if handoff.brake else "stop":
        case "pause":
            return "On hold: paused"
        case "steer":
            return "On hold: the agent was told something"
    return "On hold: stopped"


def _short(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
