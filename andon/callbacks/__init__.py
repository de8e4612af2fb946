"""Callbacks: check that they are the service's, tell them from repeats, and go on where the agent left off.

Needs `pip install "andon[callbacks]"`. Ready handlers are in `andon.callbacks.aiohttp`, `.starlette` (for FastAPI too)
and `.flask`.
"""

from andon.callbacks._models import BrakeEvent, Callback, HandoffEvent
from andon.callbacks._seen import Seen, SeenInMemory, SeenInRedis
from andon.callbacks._verify import InvalidCallback, verify

__all__ = [
    "BrakeEvent",
    "Callback",
    "HandoffEvent",
    "InvalidCallback",
    "Seen",
    "SeenInMemory",
    "SeenInRedis",
    "verify",
]
