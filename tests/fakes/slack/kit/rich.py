"""The elements of rich_text blocks, whose text is literal."""

from typing import Any, Final

from tests.fakes.slack.kit.sheet import Check, Sheet, chars, choice, flag, listing, shape, typed, whole

_ANY: Final = 1_000_000
_STYLE: Final = shape(
    {},
    dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"), flag),
)
_styled: Final = {"style": _STYLE}


def _number(sheet: Sheet, value: Any, at: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        sheet.fault("must be a number", at)


_PARTS: Final[dict[str, Check]] = {
    "text": shape({"text": chars(_ANY)}, _styled),
    "link": shape({"url": chars(3000)}, {"text": chars(_ANY), "unsafe": flag, **_styled}),
    "user": shape({"user_id": chars(32, pattern="[UW][A-Z0-9]+")}, _styled),
    "usergroup": shape({"usergroup_id": chars(32, pattern="S[A-Z0-9]+")}, _styled),
    "channel": shape({"channel_id": chars(32, pattern="[CDG][A-Z0-9]+")}, _styled),
    "team": shape({"team_id": chars(32)}, _styled),
    "emoji": shape({"name": chars(100)}, {"unicode": chars(100), "skin_tone": whole(1, 6), **_styled}),
    "broadcast": shape({"range": choice("here", "channel", "everyone")}, _styled),
    "date": shape(
        {"timestamp": _number, "format": chars(500)}, {"url": chars(3000), "fallback": chars(500), **_styled}
    ),
    "color": shape({"value": chars(32)}, _styled),
}
_parts: Final = listing(typed(_PARTS), _ANY, least=0)
_SECTION: Final = shape({"elements": _parts})

RICH: Final = typed(
    {
        "rich_text_section": _SECTION,
        "rich_text_list": shape(
            {
                "elements": listing(typed({"rich_text_section": _SECTION}), _ANY, least=0),
                "style": choice("bullet", "ordered"),
            },
            {"indent": whole(0, 8), "offset": whole(0, _ANY), "border": whole(0, 1)},
        ),
        "rich_text_preformatted": shape(
            {"elements": listing(typed({"text": _PARTS["text"], "link": _PARTS["link"]}), _ANY, least=0)},
            {"border": whole(0, 1)},
        ),
        "rich_text_quote": shape({"elements": _parts}, {"border": whole(0, 1)}),
    }
)

RICH_TEXT: Final = shape({"elements": listing(RICH, _ANY)}, {"block_id": chars(255)})
