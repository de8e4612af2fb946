"""Interactivity payloads, in Slack's shapes."""

from typing import TYPE_CHECKING, Any

from tests.fakes.slack.app import Installation
from tests.fakes.slack.grants import ResponseUrl
from tests.fakes.slack.kit import Control, at_first, controls, holds_value
from tests.fakes.slack.model import Channel, Message, Team, User, View

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
Values = dict[str, dict[str, Json]]


def values_of(blocks: list[Json], held: Values) -> Values:
    """`state.values`: what stands in each element that holds a value."""
    told: Values = {}
    for control in controls(blocks):
        if holds_value(control.element):
            held_now = held.get(control.block_id, {}).get(control.action_id)
            told.setdefault(control.block_id, {})[control.action_id] = held_now or at_first(control.element)
    return told


def view_json(cloud: "SlackCloud", view: View) -> Json:
    """A view as payloads and the Web API carry it."""
    bot = cloud.installed_bot(view.team)
    source = {"private_metadata": "", "callback_id": "", "external_id": "", **view.source}
    return source | {
        "id": view.id,
        "team_id": view.user.team.id,
        "state": {"values": values_of(view.blocks, view.values)},
        "hash": view.hash,
        "title": view.source.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": view.source.get("clear_on_close", False),
        "notify_on_close": view.source.get("notify_on_close", False),
        "close": view.source.get("close"),
        "submit": view.source.get("submit"),
        "previous_view_id": view.previous_id,
        "root_view_id": view.root_id,
        "app_id": cloud.app.id,
        "app_installed_team_id": view.team.id,
        "bot_id": bot.bot_id,
    }


def _team(team: Team) -> Json:
    told: Json = {"id": team.id, "domain": team.domain}
    if team.enterprise_id:
        told |= {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name}
    return told


def common(cloud: "SlackCloud", kind: str, user: User, team: Team, installation: Installation) -> Json:
    """What every interactivity payload has."""
    return {
        "type": kind,
        "team": _team(team),
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team.id},
        "api_app_id": cloud.app.id,
        "token": cloud.app.verification_token,
        "enterprise": team.enterprise,
        "is_enterprise_install": installation.is_org_wide,
    }


def channel_json(channel: Channel) -> Json:
    """A channel as payloads carry it."""
    return {"id": channel.id, "name": channel.called}


def message_place(message: Message, user: User) -> Json:
    """Where an interaction happened: in a message."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel.id,
        "is_ephemeral": message.seen_by is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    place: Json = {"container": container, "channel": channel_json(message.channel)}
    if message.seen_by is None:
        # An ephemeral message is stored nowhere, so its payloads do not carry it.
        place["message"] = message.as_json()
    return place | {"state": {"values": values_of(message.blocks, message.choices.get(user.id, {}))}}


def view_place(cloud: "SlackCloud", view: View) -> Json:
    """Where an interaction happened: in a modal or a Home tab."""
    return {"container": {"type": "view", "view_id": view.id}, "view": view_json(cloud, view)}


def action(control: Control, value: Json | None, ts: str) -> Json:
    """One item of `actions`."""
    shown = ("type", "action_id", "text", "value", "style", "placeholder")
    told = {name: control.element[name] for name in shown if name in control.element}
    if control.option is not None:
        told["selected_option"] = dict(control.option)
    return told | (value or {}) | {"block_id": control.block_id, "action_ts": ts}


def response_address(cloud: "SlackCloud", url: ResponseUrl, kind: str = "actions") -> str:
    """Where the app may answer."""
    return f"{cloud.url}/{kind}/{url.installation.team.id}/{url.channel.id}/{url.secret}"
