"""The outbox: what people must still be shown. Cards now; callbacks belong here too."""

from bot.outbox.calling import Pace, Truth
from bot.outbox.work import CardWork

__all__ = ["CardWork", "Pace", "Truth"]
