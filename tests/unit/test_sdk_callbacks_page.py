"""The page about callbacks and the package agree: what is printed there verifies."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from andon import Rejected
from andon.callbacks import HandoffEvent, InvalidCallback, verify

PAGE = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_is_a_callback() -> None:
    secret = re.search(r"^ *(whsec_\S+)$", PAGE, re.MULTILINE)
    shown = re.search(r"```http\n(.*?)\n\n(.*?)\n```", PAGE, re.DOTALL)
    assert secret
    assert shown
    headers = dict(line.split(": ", 1) for line in shown[1].splitlines()[1:])
    body, now = shown[2].encode(), datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    callback = verify(headers, body, secret=secret[1], now=now)
    assert isinstance(callback.data, HandoffEvent)
    assert isinstance(callback.decision, Rejected)
    assert callback.decision.reason == "Not to her; ask Bob first"
    with pytest.raises(InvalidCallback):
        verify(headers, body.replace(b"Bob", b"Eve"), secret=secret[1], now=now)
