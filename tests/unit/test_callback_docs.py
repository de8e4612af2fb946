"""The page on callbacks says what is so: its example is signed as it says, and its figures are the code's."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from andon.wire import DEFAULT_EVENTS, EventType
from bot.outbox.schedule import Schedule
from bot.outbox.signing import sign

PAGE: Final = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text()


def test_the_example_s_signature_is_that_of_its_body_by_its_secret() -> None:
    secret = re.search(r"^    (whsec_\S+)$", PAGE, re.MULTILINE)
    example = re.search(r"```http\n(.*?)\n\n(.*?)\n```", PAGE, re.DOTALL)
    assert secret
    assert example
    headers = dict(line.split(": ", 1) for line in example[1].splitlines()[1:])
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    signed = sign([secret[1]], headers["webhook-id"], at, example[2].encode())
    assert {name: headers[name] for name in signed} == signed
    assert json.loads(example[2])["data"]["decision"]["kind"] == "rejected"


def test_every_type_of_event_is_named_and_the_usual_ones_come_first() -> None:

    rows = re.findall(r"^\| ((?:`[a-z.]+`(?:, )?)+) \|", PAGE.partition("what makes it")[2], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z]+\.[a-z]+)`", row)]
    assert tuple(named[: len(DEFAULT_EVENTS)]) == DEFAULT_EVENTS
    assert set(named) == set(get_args(EventType))


def test_the_pauses_are_those_of_the_schedule() -> None:
    said = re.search(r"then after (.*?), each pause", PAGE)
    assert said
    units = {"s": 1, "min": 60, "h": 3_600}
    found = re.findall(r"(\d+) (s|min|h)\b", said[1])
    assert [int(number) * units[unit] for number, unit in found] == [
        round(pause.total_seconds()) for pause in Schedule().pauses
    ]
