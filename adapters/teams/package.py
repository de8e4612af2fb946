"""Makes the app package that an administrator uploads to Teams: the manifest and two icons in a zip."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bot.errors import ConfigError
from bot.talk import Place, help_lines

SCHEMA: Final = "1.29"
"""Of the manifest.

Source: the schemas in the npm package @microsoft/app-manifest 1.1.2. It has 1.30 as well, which adds nothing to what is
used here, and an older one is taken by more organisations' Teams.
"""
RESOURCE_CONSENT: Final[Mapping[str, str]] = {
    "ChannelMember.Read.Group": "know who is in a private or shared channel, and so who may answer there",
    "ChannelMessage.Read.Group": "hear a typed stop, and replies to cards, in channels, without being mentioned",
    "ChatMessage.Read.Chat": "the same in group chats",
}
"""What the owner of a team or chat consents to at installation, and what for.

Source: Receive all messages for bots and agents, and Adapt your app for shared and private channels,
https://learn.microsoft.com/en-us/microsoftteams/platform/, read 2026-11.
"""
WITHOUT_MENTION: Final = frozenset({"ChannelMessage.Read.Group", "ChatMessage.Read.Chat"})
"""Those of them that let the app see messages that do not mention it."""

ASK_AGENT: Final = "ask_agent"
"""The command under More actions of a message, as `composeExtension/fetchTask` names it."""
GUID_RE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""The id of an app or a tenant."""
NAME: Final = "Andon"
MAKER: Final = "Andon"
NAME_CHARS: Final = 30
DEVELOPER_CHARS: Final = 32

_ICONS: Final = Path(__file__).parent / "icons"
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The time of each file, so that the same settings make the same bytes."""
_READABLE: Final = 0o644 << 16
_VERSION_RE: Final = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){2}")

_SHORT: Final = "Software agents ask here before they do something that matters."
_FULL: Final = """\
Andon lets software agents pause before they do something that matters: send a mail, move money, delete rows, run a \
command. The card shows what the agent will do, why, and what could go wrong. You approve, reject, edit, pick or \
answer, and what was approved, exactly, is what runs.

Type “stop” where an agent works, and it stops: nothing that it asked for can run until somebody who may approve for \
it resumes it. Nothing is lost meanwhile.

Mention the app, or write to it, with “help” to see what you can ask it.

Your organisation runs the service behind this app itself. What agents and people write here is kept there."""

_PERSONAL: Final = Place("", None)
_TEAM: Final = Place("", "here", asks_here=True)
_GROUP: Final = Place("", "here", asks_here=True, noun="chat")
_MORE: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "stop": (
        ("pause", "the same, and the agents just wait"),
        ("wait", "holds the agent until it has read the rest: wait, change the recipient to Bob"),
    ),
    "resume": (("abort", "ends the work for good; it takes somebody who may approve for it"),),
}
"""Commands of the brake that help does not list, by the one that they stand behind."""
_HOME: Final = {"title": "home", "description": "what is stopped, what waits for you, what runs and what is granted"}
"""In the chat with the bot."""
_SAYS: Final[Mapping[str, str]] = {
    "show": "one card, for you alone; type its link, or the end of its id, after the word",
    "help": "what you can ask",
}
"""What help says otherwise, where it stands beside what it speaks of."""


@dataclass(frozen=True, slots=True)
class AppPackage:
    """What differs from one organisation to the next."""

    bot_id: str
    """The application (client) id of the registration: TEAMS_APP_ID."""
    url: str
    """Of the service, without a slash at its end: ANDON_PUBLIC_URL."""
    version: str
    """Three numbers; Teams takes an update only with a higher one."""
    name: str = NAME
    app_id: str = ""
    """Of the app in the organisation's catalogue; empty: that of the bot."""
    developer: str = MAKER
    """Whom Teams names as the app's maker."""
    mentions_only: bool = False
    """Leave out the consent to messages that do not mention the app."""


def zipped(package: AppPackage) -> bytes:
    """The package, ready to upload; the same bytes for the same settings.

    Raises:
        ConfigError: Every fault, one sentence each.
    """
    if faults := list(_faults(package)):
        raise ConfigError(faults)
    text = json.dumps(manifest(package), ensure_ascii=False, indent=2) + "\n"
    files = {"manifest.json": text.encode()}
    files |= {name: (_ICONS / name).read_bytes() for name in ("color.png", "outline.png")}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system, entry.external_attr = 3, _READABLE  # whatever system makes it
            archive.writestr(entry, content)
    return made.getvalue()


def endpoint(url: str) -> str:
    """Where Teams reaches the service; the Azure Bot must have the very same."""
    return f"{url}/api/messages"


def manifest(package: AppPackage) -> dict[str, Any]:
    """The manifest, as Teams reads it."""
    consent = [each for each in RESOURCE_CONSENT if not (package.mentions_only and each in WITHOUT_MENTION)]
    return {
        "$schema": f"https://developer.microsoft.com/json-schemas/teams/v{SCHEMA}/MicrosoftTeams.schema.json",
        "manifestVersion": SCHEMA,
        "version": package.version,
        "id": package.app_id or package.bot_id,
        "developer": {
            "name": package.developer,
            "websiteUrl": package.url,
            "privacyUrl": package.url,
            "termsOfUseUrl": package.url,
        },
        "name": {"short": package.name, "full": f"{package.name}: agents ask before they act"},
        "description": {"short": _SHORT, "full": _FULL},
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": "#1D2433",
        # Teams wants this of every app for teams since 1.25. In private and shared channels the app is added by hand.
        "supportsChannelFeatures": "tier1",
        "defaultInstallScope": "team",
        "defaultGroupCapability": {"team": "bot", "groupchat": "bot"},
        "bots": [
            {
                "botId": package.bot_id,
                "scopes": ["personal", "team", "groupChat"],
                "isNotificationOnly": False,
                "supportsFiles": False,
                "commandLists": [
                    _commands("personal", _PERSONAL),
                    _commands("team", _TEAM),
                    _commands("groupChat", _GROUP),
                ],
            }
        ],
        "composeExtensions": [
            {
                "botId": package.bot_id,
                "commands": [
                    {
                        "id": ASK_AGENT,
                        "type": "action",
                        "context": ["message"],
                        "title": "Ask the agent about this",
                        "description": "Hand a message to an agent that works here",
                        "fetchTask": True,
                    }
                ],
            }
        ],
        "permissions": ["identity", "messageTeamMembers"],
        "validDomains": [_domain(package.url)],
        # Consent to resources needs this; any text will do as the resource.
        "webApplicationInfo": {"id": package.bot_id, "resource": package.url},
        "authorization": {
            "permissions": {"resourceSpecific": [{"name": name, "type": "Application"} for name in consent]}
        },
    }


def _commands(scope: str, place: Place) -> dict[str, Any]:
    """What help lists at such a place, and the rest of the brake's words."""
    commands = [] if place.asks_here else [_HOME]
    for line in help_lines(place):
        word = line.typed.partition(" <")[0]
        for title, meaning in ((word, _SAYS.get(word, line.meaning)), *_MORE.get(word, ())):
            commands.append({"title": title, "description": meaning})
    return {"scopes": [scope], "commands": commands}


def _domain(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _faults(package: AppPackage) -> Iterator[str]:
    if not package.bot_id:
        yield "TEAMS_APP_ID is empty; copy the Application (client) ID from the Overview page of the app registration"
    elif not GUID_RE.fullmatch(package.bot_id):
        yield f"TEAMS_APP_ID is {package.bot_id!r}, which is no id: copy the Application (client) ID, 8-4-4-4-12 digits"
    if package.app_id and not GUID_RE.fullmatch(package.app_id):
        yield f"--id is {package.app_id!r}, which is no id of an app: 8-4-4-4-12 digits"
    if not package.url:
        yield "ANDON_PUBLIC_URL is not set; set it to the https address at which Teams reaches the service"
    elif not package.url.startswith("https://"):
        yield f"ANDON_PUBLIC_URL is {package.url}, and Teams sends requests to https addresses alone"
    if not _VERSION_RE.fullmatch(package.version):
        yield f"--version is {package.version!r}; it takes three numbers such as 1.4.0, higher at each change"
    for option, text, most in (
        ("--name", package.name, NAME_CHARS),
        ("--developer", package.developer, DEVELOPER_CHARS),
    ):
        if not text.strip() or not text.isprintable():
            yield f"{option} is {text!r}; it takes a text that people can read"
        elif len(text) > most:
            yield f"{option} has {len(text)} characters, and Teams takes {most} at the most"
