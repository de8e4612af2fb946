"""A stand-in for Microsoft's cloud as a Teams bot meets it: keys, tokens, the Bot Connector, people and their clients.

It is a real HTTP server with Microsoft's paths, payloads, limits and errors. It imports none of the Bot Framework's
packages and no JWT library: whoever tests against it with these is tested by another reading of the documentation.
"""

from tests.fakes.teams.cloud import TeamsCloud
from tests.fakes.teams.deliveries import Ack, Delivery
from tests.fakes.teams.dialogs import Dialog
from tests.fakes.teams.model import Channel, Conversation, Message, Team, Tenant, Version
from tests.fakes.teams.outcomes import Outcome
from tests.fakes.teams.people import Person
from tests.fakes.teams.signing import Key
from tests.fakes.teams.tokens import Tokens

__all__ = [
    "Ack",
    "Channel",
    "Conversation",
    "Delivery",
    "Dialog",
    "Key",
    "Message",
    "Outcome",
    "Person",
    "Team",
    "TeamsCloud",
    "Tenant",
    "Tokens",
    "Version",
]
