"""A stand-in for Slack: a real HTTP server with Slack's paths, payloads, limits and errors.

It imports none of Slack's own packages: whoever tests against it with these is tested by somebody else's reading
of the documentation.
"""

from tests.fakes.slack.app import App
from tests.fakes.slack.cloud import SlackCloud
from tests.fakes.slack.deliveries import Ack, Delivery
from tests.fakes.slack.interactions import Outcome
from tests.fakes.slack.model import Channel, Group, Message, Team, User, Version
from tests.fakes.slack.people import Person
from tests.fakes.slack.screens import Home, Modal
from tests.fakes.slack.signing import sign

__all__ = [
    "Ack",
    "App",
    "Channel",
    "Delivery",
    "Group",
    "Home",
    "Message",
    "Modal",
    "Outcome",
    "Person",
    "SlackCloud",
    "Team",
    "User",
    "Version",
    "sign",
]
