"""The outbox: what must still be told: cards to people, callbacks to agents."""

from bot.outbox.callback_queue import CallbackQueue
from bot.outbox.callbacks import Callbacks
from bot.outbox.callbacks_sending import Following, Sending
from bot.outbox.calling import Pace, Truth
from bot.outbox.egress import Allowed, Egress
from bot.outbox.endpoints import EndpointBook
from bot.outbox.schedule import Schedule
from bot.outbox.work import CardWork

__all__ = [
    "Allowed",
    "CallbackQueue",
    "Callbacks",
    "CardWork",
    "Egress",
    "EndpointBook",
    "Following",
    "Pace",
    "Schedule",
    "Sending",
    "Truth",
]
