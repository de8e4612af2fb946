"""auth.test, users.* and usergroups.*: who is who."""

from typing import Final

from tests.fakes.slack.methods.call import Call, Json, Method
from tests.fakes.slack.model import Group, User
from tests.fakes.slack.refusals import Refused


def _auth(call: Call) -> Json:
    team = call.by.team
    told = {
        "url": f"https://{team.domain}.slack.com/",
        "team": team.name,
        "user": call.by.bot.name,
        "team_id": team.id,
        "user_id": call.by.bot.id,
        "bot_id": call.by.bot_id,
        "is_enterprise_install": call.by.is_org_wide,
    }
    return told | ({"enterprise_id": team.enterprise_id} if team.enterprise_id else {})


def _json(call: Call, user: User) -> Json:
    profile: Json = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.display_name,
        "display_name_normalized": user.display_name,
        "team": user.team.id,
    }
    told: Json = {
        "id": user.id,
        "team_id": user.team.id,
        "name": user.name,
        "deleted": user.deleted,
        "profile": profile,
        "is_bot": user.is_bot,
        "is_app_user": False,
    }
    if user.deleted:
        return told
    is_stranger = not call.by.covers(user.team)
    if user.email and "users:read.email" in call.by.scopes and not is_stranger:
        profile["email"] = user.email
    told |= {
        "real_name": user.real_name,
        "tz": user.tz,
        "is_admin": False,
        "is_owner": False,
        "is_restricted": user.is_restricted or user.is_ultra_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_email_confirmed": user.is_email_confirmed,
    }
    if is_stranger:
        told["is_stranger"] = True
    if user.team.enterprise_id:
        told["enterprise_user"] = {
            "id": user.id,
            "enterprise_id": user.team.enterprise_id,
            "enterprise_name": user.team.enterprise_name,
            "teams": [user.team.id],
        }
    return told


def _info(call: Call) -> Json:
    return {"user": _json(call, call.user(call.args["user"]))}


def _by_email(call: Call) -> Json:
    wanted = call.args["email"].lower()
    for user in call.cloud.users.values():
        if user.email and user.email.lower() == wanted and call.by.covers(user.team) and not user.deleted:
            return {"user": _json(call, user)}
    raise Refused("users_not_found")


def _group_json(group: Group, *, with_users: bool, with_count: bool) -> Json:
    told: Json = {
        "id": group.id,
        "team_id": group.team.id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "is_external": False,
        "date_delete": 1 if group.disabled else 0,
    }
    if with_users:
        told["users"] = [user.id for user in group.members]
    if with_count:
        told["user_count"] = len(group.members)
    return told


def _paid(call: Call) -> None:
    if not call.by.team.paid:
        raise Refused("plan_upgrade_required")


def _groups(call: Call) -> Json:
    _paid(call)
    groups = [
        group
        for group in call.cloud.groups.values()
        if call.by.covers(group.team) and (not group.disabled or call.args.get("include_disabled"))
    ]
    with_users, with_count = bool(call.args.get("include_users")), bool(call.args.get("include_count"))
    return {"usergroups": [_group_json(group, with_users=with_users, with_count=with_count) for group in groups]}


def _group_users(call: Call) -> Json:
    _paid(call)
    group = call.cloud.groups.get(call.args["usergroup"])
    if group is None or not call.by.covers(group.team) or (group.disabled and not call.args.get("include_disabled")):
        raise Refused("no_such_subteam")
    return {"users": [user.id for user in group.members]}


METHODS: Final[dict[str, Method]] = {
    "auth.test": Method(_auth, {}, tier="special"),
    "users.info": Method(_info, {"user": "text", "include_locale": "flag"}, ("user",), "users:read", "tier4"),
    "users.lookupByEmail": Method(_by_email, {"email": "text"}, ("email",), "users:read.email", "tier3"),
    "usergroups.list": Method(
        _groups,
        {"include_count": "flag", "include_disabled": "flag", "include_users": "flag", "team_id": "text"},
        (),
        "usergroups:read",
        "tier2",
    ),
    "usergroups.users.list": Method(
        _group_users,
        {"usergroup": "text", "include_disabled": "flag", "team_id": "text"},
        ("usergroup",),
        "usergroups:read",
        "tier2",
    ),
}
