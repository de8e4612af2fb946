"""`altered` makes what `dataclasses.replace` makes, and refuses what it refuses."""

from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from bot.altering import altered
from bot.handoff import Handoff, Route


@dataclass(frozen=True)
class Record:
    name: str
    count: int = 0


def test_the_rest_stays_and_the_first_is_untouched() -> None:
    first = Record("a", 1)
    second = altered(first, count=2)
    assert (first, second) == (Record("a", 1), Record("a", 2))
    assert second == replace(first, count=2)
    assert hash(second) == hash(Record("a", 2))
    with pytest.raises(FrozenInstanceError):
        second.count = 3  # type: ignore[misc]  # that is the point


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="Record has no field nmae"):
        altered(Record("a"), nmae="b")  # type: ignore[call-arg]  # likewise


@pytest.mark.parametrize("kind", [Handoff, Route])
def test_the_classes_that_it_is_used_with_keep_all_in_their_fields(kind: type) -> None:
    """Guard: a copy would not know of slots, nor of what is worked out when one is made."""
    assert not hasattr(kind, "__slots__")
    assert not hasattr(kind, "__post_init__")
    assert all(each.init for each in fields(kind))
