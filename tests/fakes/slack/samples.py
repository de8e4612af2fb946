"""A card and modals to try the fake with."""

from typing import Any

Json = dict[str, Any]


def button(label: str, action_id: str, value: str = "hf_1") -> Json:
    """A button."""
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, "value": value}


CARD: list[Json] = [
    {"type": "header", "text": {"type": "plain_text", "text": "Send this?"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": "*To* a &lt;b&gt; <https://x.example|there>"}},
    {
        "type": "actions",
        "block_id": "answer",
        "elements": [
            button("Approve", "approve"),
            button("Reject", "reject"),
            {
                "type": "static_select",
                "action_id": "flight",
                "placeholder": {"type": "plain_text", "text": "Which flight"},
                "options": [
                    {"text": {"type": "plain_text", "text": name}, "value": name.lower()} for name in ("BA 286", "LH 1")
                ],
            },
            {
                "type": "external_select",
                "action_id": "city",
                "placeholder": {"type": "plain_text", "text": "Which city"},
                "min_query_length": 1,
            },
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": {"type": "plain_text", "text": "Mute"}, "value": "mute"}],
            },
        ],
    },
]


def field(label: str, element: Json, **more: Any) -> Json:
    """An input block whose block_id is its label in small letters, and whose element is `value`."""
    block = {"type": "input", "block_id": label.lower(), "label": {"type": "plain_text", "text": label}}
    return block | {"element": {"action_id": "value", **element}} | more


def modal(title: str = "Why", *fields: Json, **more: Any) -> Json:
    """A modal of these fields, by default one for a reason."""
    blocks = list(fields) or [field("Reason", {"type": "plain_text_input", "multiline": True})]
    words = {"title": title, "submit": "Send", "close": "Cancel"}
    view: Json = {name: {"type": "plain_text", "text": text} for name, text in words.items()}
    return view | {"type": "modal", "callback_id": "why", "blocks": blocks} | more
