"""Modals, three deep at most, and Home tabs: opened, pushed, updated, closed."""

import secrets
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.grants import Trigger
from tests.fakes.slack.kit import check_view, controls, holds_value
from tests.fakes.slack.model import DEEPEST_STACK, Effect, Team, User, View
from tests.fakes.slack.posting import with_ids
from tests.fakes.slack.refusals import Refused

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]


def _named(view: Json) -> Json:
    return view | {"blocks": with_ids(view["blocks"])}


def _new_hash(cloud: "SlackCloud") -> str:
    return f"{int(cloud.clock.now())}.{secrets.token_hex(4)}"


def exchange(cloud: "SlackCloud", id: str) -> Trigger:
    """Take a trigger: once, and within three seconds."""
    trigger = cloud.triggers.get(id)
    if trigger is None:
        raise Refused("invalid_trigger_id")
    if trigger.is_used:
        raise Refused("exchanged_trigger_id")
    if cloud.clock.now() > trigger.expires_at:
        raise Refused("expired_trigger_id")
    return trigger


def open_modal(cloud: "SlackCloud", trigger: Trigger, source: Json) -> View:
    """Open a modal in place of whatever modal of the app was open."""
    check_view(source, "modal")
    _external_id_is_free(cloud, source, trigger.team)
    for view in trigger.user.stack:
        view.is_open = False
    trigger.user.stack.clear()
    return _stack(cloud, trigger.user, trigger.team, source, trigger)


def push_modal(cloud: "SlackCloud", trigger: Trigger, source: Json) -> View:
    """Open a modal on top of the one in which the trigger came about."""
    if trigger.view is None or not trigger.user.stack:
        raise Refused("invalid_trigger_id", messages=["[ERROR] the trigger came about in no modal"])
    check_view(source, "modal")
    _external_id_is_free(cloud, source, trigger.team)
    return _stack(cloud, trigger.user, trigger.team, source, trigger)


def push_in_answer(cloud: "SlackCloud", under: View, source: Json) -> View:
    """Open a modal on top, as the answer to a submission."""
    check_view(source, "modal")
    return _stack(cloud, under.user, under.team, source, None)


def _stack(cloud: "SlackCloud", user: User, team: Team, source: Json, trigger: Trigger | None) -> View:
    if len(user.stack) >= DEEPEST_STACK:
        raise Refused("push_limit_reached")
    id = cloud.new_id("V")
    under = user.stack[-1] if user.stack else None
    view = View(
        id, user, team, _named(source), _new_hash(cloud), under.root_id if under else id, under.id if under else None
    )
    user.stack.append(view)
    cloud.views[id] = view
    if trigger:
        trigger.is_used, trigger.opened = True, view
    cloud.effects.append(Effect("view", user=user, view=view))
    return view


def _external_id_is_free(cloud: "SlackCloud", source: Json, team: Team) -> None:
    name = source.get("external_id")
    if name and any(v.source.get("external_id") == name and v.team is team and v.is_open for v in cloud.views.values()):
        raise Refused("duplicate_external_id")


def replace(cloud: "SlackCloud", view: View, source: Json) -> None:
    """Let a view show something else.

    What a person has filled in stays where block_id and action_id stay, whatever the new initial value says.
    """
    check_view(source, "home" if view.kind == "home" else "modal")
    view.source = _named(source)
    view.hash = _new_hash(cloud)
    kept = {(c.block_id, c.action_id): c.kind for c in controls(view.blocks) if holds_value(c.element)}
    view.values = {
        block_id: {
            action_id: held for action_id, held in row.items() if kept.get((block_id, action_id)) == held["type"]
        }
        for block_id, row in view.values.items()
    }
    cloud.effects.append(Effect("home" if view.kind == "home" else "view", user=view.user, view=view))


def publish(cloud: "SlackCloud", user: User, team: Team, source: Json, known_hash: str | None) -> View:
    """Show somebody a Home tab."""
    if not cloud.app.home_tab:
        raise Refused("not_enabled")
    check_view(source, "home")
    view = cloud.homes.get(user.id)
    if view is None:
        id = cloud.new_id("V")
        view = View(id, user, team, _named(source), _new_hash(cloud), id)
        cloud.homes[user.id] = cloud.views[id] = view
        cloud.effects.append(Effect("home", user=user, view=view))
        return view
    if known_hash and known_hash != view.hash:
        raise Refused("hash_conflict")
    replace(cloud, view, source)
    return view


def close(view: View, *, all_of_them: bool = False) -> None:
    """Close a modal, and with it what lies on top; or the whole stack."""
    stack = view.user.stack
    keep = 0 if all_of_them or view not in stack else stack.index(view)
    for closed in stack[keep:]:
        closed.is_open = False
    del stack[keep:]
