"""oauth.v2.access and apps.connections.open: how the app comes by its tokens and its socket."""

from typing import Final

from tests.fakes.slack.app import Installation
from tests.fakes.slack.grants import TOKEN_S
from tests.fakes.slack.methods.call import Call, Json, Method
from tests.fakes.slack.refusals import Refused


def _access(call: Call) -> Json:
    app = call.cloud.app
    if call.args.get("client_id") != app.client_id:
        raise Refused("invalid_client_id")
    if call.args.get("client_secret") != app.client_secret:
        raise Refused("bad_client_secret")
    grant = call.args.get("grant_type") or "authorization_code"
    if grant == "refresh_token":
        installation = call.cloud.refresh_tokens.pop(call.args.get("refresh_token") or "", None)
        if installation is None or installation.is_removed:
            raise Refused("invalid_refresh_token")
    elif grant == "authorization_code":
        installation = _exchanged(call)
    else:
        raise Refused("invalid_grant_type")
    return _granted(call, installation)


def _exchanged(call: Call) -> Installation:
    installation, given_to = call.cloud.codes.pop(call.args.get("code") or "", (None, ""))
    if installation is None:
        raise Refused("invalid_code")
    if call.args.get("redirect_uri", given_to) != given_to:
        raise Refused("bad_redirect_uri")
    return installation


def _granted(call: Call, installation: Installation) -> Json:
    team = installation.team
    token, refresh = call.cloud.new_token(installation)
    told: Json = {
        "access_token": token,
        "token_type": "bot",
        "scope": ",".join(installation.scopes),
        "bot_user_id": installation.bot.id,
        "app_id": call.cloud.app.id,
        "team": None if installation.is_org_wide else {"id": team.id, "name": team.name},
        "enterprise": team.enterprise,
        "is_enterprise_install": installation.is_org_wide,
        "authed_user": {"id": call.cloud.installer},
    }
    return told | ({"refresh_token": refresh, "expires_in": TOKEN_S} if refresh else {})


def _connect(call: Call) -> Json:
    ticket = call.cloud.sockets.ticket()
    address = call.cloud.url.replace("http://", "ws://", 1)
    return {"url": f"{address}/link/?ticket={ticket}&app_id={call.cloud.app.id}"}


METHODS: Final[dict[str, Method]] = {
    "oauth.v2.access": Method(
        _access,
        {
            "client_id": "text",
            "client_secret": "text",
            "code": "text",
            "redirect_uri": "text",
            "grant_type": "text",
            "refresh_token": "text",
        },
        tier="tier4",
        token="none",
        writes=True,
    ),
    # Tier 1 in the documentation, which a client that reconnects at once would soon exceed; Slack lets bursts through.
    "apps.connections.open": Method(_connect, {}, scope="connections:write", tier="tier2", token="app"),
}
