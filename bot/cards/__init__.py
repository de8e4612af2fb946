"""Cards: what a person sees of a handoff, as typed view models, forms and templates for any surface. Pure."""

from bot.cards.arrival import AGAIN, never_asked, sent_again
from bot.cards.asides import Said, asides, crowded, questions, said
from bot.cards.brakes import brake_lines, pulled, scope_in_words
from bot.cards.characters import hidden_in, visible
from bot.cards.form import ABSENT, Field, by_field, fields, read
from bot.cards.offered import GrantLine, Offered, as_grant, given, grant_line, in_words, offers
from bot.cards.receipts import ReceiptView, receipt_view
from bot.cards.refusals import skipped, why_no_reply, why_not
from bot.cards.render import JsonTemplates, environment
from bot.cards.replies import NEEDS_FORM, NeedsForm, is_offered, not_recorded, plain_word, recorded, typed_answer
from bot.cards.runs import BrakeLine, Flight, RunView, brake_line, flights, named_runs, place_in_words, run_view
from bot.cards.schema import check, check_schema
from bot.cards.sentences import HEADLINES, ended, lasting, moment, silence, too_late
from bot.cards.stories import Story, stories_of
from bot.cards.summaries import Heard, Summary, heard, summary
from bot.cards.terms import (
    grant_in_words,
    listed,
    people_in_words,
    places_in_words,
    rung_in_words,
    stages_in_words,
    term_in_words,
)
from bot.cards.together import DigestRow, DigestView, digest, digest_row
from bot.cards.trust import TrustLine, trust_line
from bot.cards.unknown import silence_of
from bot.cards.view import Card, card

__all__ = [
    "ABSENT",
    "AGAIN",
    "HEADLINES",
    "NEEDS_FORM",
    "BrakeLine",
    "Card",
    "DigestRow",
    "DigestView",
    "Field",
    "Flight",
    "GrantLine",
    "Heard",
    "JsonTemplates",
    "NeedsForm",
    "Offered",
    "ReceiptView",
    "RunView",
    "Said",
    "Story",
    "Summary",
    "TrustLine",
    "as_grant",
    "asides",
    "brake_line",
    "brake_lines",
    "by_field",
    "card",
    "check",
    "check_schema",
    "crowded",
    "digest",
    "digest_row",
    "ended",
    "environment",
    "fields",
    "flights",
    "given",
    "grant_in_words",
    "grant_line",
    "heard",
    "hidden_in",
    "in_words",
    "is_offered",
    "lasting",
    "listed",
    "moment",
    "named_runs",
    "never_asked",
    "not_recorded",
    "offers",
    "people_in_words",
    "place_in_words",
    "places_in_words",
    "plain_word",
    "pulled",
    "questions",
    "read",
    "receipt_view",
    "recorded",
    "run_view",
    "rung_in_words",
    "said",
    "scope_in_words",
    "sent_again",
    "silence",
    "silence_of",
    "skipped",
    "stages_in_words",
    "stories_of",
    "summary",
    "term_in_words",
    "too_late",
    "trust_line",
    "typed_answer",
    "visible",
    "why_no_reply",
    "why_not",
]
