"""Which gates earn their keep, and what people corrected: pure, from handoffs that have ended."""

from bot.audit.corrections import correction
from bot.audit.gates import audit

__all__ = ["audit", "correction"]
