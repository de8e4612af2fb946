"""What people say to the bot on a chat surface, and what it says back: requests, and words to the brake.

A surface reads its platform's messages into `Spoken`, and says what comes of them; what they mean is found here.
"""

from bot.talk.asking import CHOOSE, DOWN, EMPTY, NOBODY, NOT_OFFERED, Asking, Choice, Quoted
from bot.talk.brakes import Brakes
from bot.talk.cord import Cord, Spoken
from bot.talk.grants import Grants
from bot.talk.orders import Orders, Wish
from bot.talk.requests import is_request
from bot.talk.seen import Seen
from bot.talk.standing import Settings, Standings, is_final
from bot.talk.talk import Granted, Helped, Overview, Place, Said, Shown, Stopped, Talk, Waits, help_lines
from bot.talk.targets import Below, Targets, asked_in
from bot.talk.who import Person, Pointed, Viewer

__all__ = [
    "CHOOSE",
    "DOWN",
    "EMPTY",
    "NOBODY",
    "NOT_OFFERED",
    "Asking",
    "Below",
    "Brakes",
    "Choice",
    "Cord",
    "Granted",
    "Grants",
    "Helped",
    "Orders",
    "Overview",
    "Person",
    "Place",
    "Pointed",
    "Quoted",
    "Said",
    "Seen",
    "Settings",
    "Shown",
    "Spoken",
    "Standings",
    "Stopped",
    "Talk",
    "Targets",
    "Viewer",
    "Waits",
    "Wish",
    "asked_in",
    "help_lines",
    "is_final",
    "is_request",
]
