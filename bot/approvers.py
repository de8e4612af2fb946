"""Who may answer a handoff. Pure: what a person belongs to is found out by whoever asks."""

from collections.abc import Collection

from andon import wire
from bot.handoff import Route
from bot.ports import Standing

_STRANGERS = {
    "guest": "guests of this workspace may not answer, unless the policy lists them.",
    "external": "people of other organisations may not answer, unless the policy lists them.",
    "outside": "you are not in the conversation that was asked; join it, then answer.",
}


def groups(route: Route, surface: str | None) -> tuple[str, ...]:
    """The groups of a surface whose members may answer, by the platform's own ids."""
    entries = (entry.removeprefix(f"{surface}:") for entry in route.approvers if entry.startswith(f"{surface}:S"))
    return tuple(entries)


def is_listed(route: Route, by: wire.Actor) -> bool:
    """Does the policy name this very person, by e-mail address or by the platform's id?"""
    emails = {text.casefold() for text in (by.email, by.id if by.surface in {"web", "api"} else None) if text}
    ids = {f"{by.surface}:{by.id}", f"{by.surface}:{by.id.rpartition('/')[2]}"}
    return any(entry in emails or entry in ids for entry in route.approvers)


def refusal(route: Route, by: wire.Actor, standing: Standing, belongs_to: Collection[str]) -> str | None:
    """Why this person may not answer, as a sentence for them; None when they may.

    Args:
        route: What the policy said.
        by: The person.
        standing: What they are where they act.
        belongs_to: Those of `groups` that they are in.
    """
    if is_listed(route, by):
        return None
    if standing in _STRANGERS and not (standing == "outside" and belongs_to):
        return f"{by.name}, {_STRANGERS[standing]}"
    if route.approvers and not belongs_to:
        return f"{by.name}, policy {route.policy} lets only {route.listed} answer this."
    return None
