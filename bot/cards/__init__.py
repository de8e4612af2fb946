"""Cards: what a person sees of a handoff, as typed view models and templates for any surface. Pure."""

from bot.cards.schema import check, check_schema
from bot.cards.sentences import silence

__all__ = ["check", "check_schema", "silence"]
