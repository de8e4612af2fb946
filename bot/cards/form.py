"""A form made from a JSON Schema, and the values read back from it; shared by every surface."""

from bot.cards.schema import check, check_schema

__all__ = ["check", "check_schema"]
