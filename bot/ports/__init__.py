"""What the core needs of a surface, and what a surface may ask of the core. Protocols only."""

from bot.brake.order import BrakeOrder
from bot.brake.words import Typed, Where
from bot.handoff import Change
from bot.ports._adapter import Adapter, CardRef, Directory, Reporting
from bot.ports._brakes import BrakeDesk, Standing
from bot.ports._callbacks import CallbackDesk
from bot.ports._desk import Desk, Inbox, PolicyWords, Row, RowOutcome, RuleWords
from bot.ports._sessions import Session, SignIn
from bot.ports._shelf import Shelf

__all__ = [
    "Adapter",
    "BrakeDesk",
    "BrakeOrder",
    "CallbackDesk",
    "CardRef",
    "Change",
    "Desk",
    "Directory",
    "Inbox",
    "PolicyWords",
    "Reporting",
    "Row",
    "RowOutcome",
    "RuleWords",
    "Session",
    "Shelf",
    "SignIn",
    "Standing",
    "Typed",
    "Where",
]
