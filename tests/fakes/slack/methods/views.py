"""views.*: modals and Home tabs."""

from typing import Final

from tests.fakes.slack.methods.call import Call, Json, Method
from tests.fakes.slack.model import View
from tests.fakes.slack.payloads import view_json
from tests.fakes.slack.refusals import Refused
from tests.fakes.slack.surfaces import exchange, open_modal, publish, push_modal, replace


def _open(call: Call) -> Json:
    view = open_modal(call.cloud, exchange(call.cloud, call.args["trigger_id"]), call.args["view"])
    return {"view": view_json(call.cloud, view)}


def _push(call: Call) -> Json:
    view = push_modal(call.cloud, exchange(call.cloud, call.args["trigger_id"]), call.args["view"])
    return {"view": view_json(call.cloud, view)}


def _found(call: Call) -> View:
    if id := call.args.get("view_id"):
        view = call.cloud.views.get(id)
    elif name := call.args.get("external_id"):
        named = [v for v in call.cloud.views.values() if v.source.get("external_id") == name and v.is_open]
        view = named[0] if named else None
    else:
        raise Refused("invalid_arguments", messages=["[ERROR] missing required field: view_id"])
    if view is None or not view.is_open or not call.by.covers(view.team):
        raise Refused("not_found")
    return view


def _update(call: Call) -> Json:
    view = _found(call)
    known = call.args.get("hash")
    if known and known != view.hash:
        raise Refused("hash_conflict")
    replace(call.cloud, view, call.args["view"])
    return {"view": view_json(call.cloud, view)}


def _publish(call: Call) -> Json:
    user = call.cloud.users.get(call.args["user_id"])
    if user is None or user.is_bot or not call.by.covers(user.team):
        raise Refused("invalid_arguments", messages=["[ERROR] invalid `user_id` [json-pointer:/user_id]"])
    view = publish(call.cloud, user, call.by.team, call.args["view"], call.args.get("hash"))
    return {"view": view_json(call.cloud, view)}


METHODS: Final[dict[str, Method]] = {
    "views.open": Method(
        _open, {"trigger_id": "text", "view": "json"}, ("trigger_id", "view"), tier="tier4", writes=True
    ),
    "views.push": Method(
        _push, {"trigger_id": "text", "view": "json"}, ("trigger_id", "view"), tier="tier4", writes=True
    ),
    "views.update": Method(
        _update,
        {"view_id": "text", "external_id": "text", "hash": "text", "view": "json"},
        ("view",),
        tier="tier4",
        writes=True,
    ),
    "views.publish": Method(
        _publish,
        {"user_id": "text", "hash": "text", "view": "json"},
        ("user_id", "view"),
        tier="tier4",
        writes=True,
    ),
}
