"""From YAML text to plain values, and where in the text each of them stands. Refuses what could mean two things."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

BYTES: Final = 1_048_576
_NODES: Final = 200_000
"""Values in all, with every alias written out."""
_DEPTH: Final = 64

Place = tuple[int, int]
"""Line and column, from 1."""


class Unreadable(ValueError):
    """Text that is no YAML that we take; and where."""

    def __init__(self, why: str, at: Place | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class Page:
    """One YAML document: its values, and their places."""

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            Unreadable: It is no YAML, has a key twice, goes round in circles, or is too large.
        """
        if len(text.encode(errors="surrogatepass")) > BYTES:
            raise Unreadable(f"it is over {BYTES // 1024} KiB")
        self._lines = text.split("\n")
        loader = _loader(text)
        try:
            self._root = loader.get_single_node()
            if self._root is not None:
                _look_over(self._root)
            self.data: Any = loader.construct_document(self._root) if self._root is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            why = " ".join(filter(None, (error.context, error.problem)))
            raise Unreadable(f"it is not YAML: {why}", _place(mark) if mark else None) from error
        except Unreadable:
            raise
        except RecursionError as error:
            raise Unreadable("it is nested too deep") from error
        except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise Unreadable(
                f"it is not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from error
        finally:
            loader.dispose()

    def at(self, path: Sequence[str | int]) -> Place | None:
        """Where a value stands; of what is not there, where that which should have it stands."""
        node = self._node(path)
        return _place(node.start_mark) if node else None

    def key_at(self, path: Sequence[str | int]) -> Place | None:
        """Where the key of a value stands."""
        parent = self._node(path[:-1])
        if isinstance(parent, yaml.MappingNode):
            for key, _ in parent.value:
                if key.value == str(path[-1]):
                    return _place(key.start_mark)
        return self.at(path)

    def within(self, path: Sequence[str | int], source: str, line: int, column: int) -> Place | None:
        """Where in the file a place in a text value is: exactly, when the text stands there as it is."""
        node = self._node(path)
        if not isinstance(node, yaml.ScalarNode):
            return None
        first, begins = _place(node.start_mark)
        wanted = source.split("\n")
        if node.style == "|":
            first, begins = first + 1, 0
        for number, text in enumerate(wanted):
            row = self._lines[first - 1 + number] if first - 1 + number < len(self._lines) else ""
            offset = row.find(text, begins - 1 if not number and begins else 0)
            if offset < 0:
                return _place(node.start_mark)
            if number + 1 == line:
                return first + number, offset + column
        return _place(node.start_mark)

    def _node(self, path: Sequence[str | int]) -> yaml.Node | None:
        node = self._root
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            node = found
        return node


class _Loader(yaml.SafeLoader):
    """YAML 1.2's words: `no`, `on` and `2026-01-01` are texts, as editors show them, and not false, true and a date."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in found if tag not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _loader(text: str) -> yaml.SafeLoader:
    try:
        return _Loader(text)
    except yaml.YAMLError as error:
        raise Unreadable(f"it is not YAML: {str(error).splitlines()[0]}") from error


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


def _step(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.value == str(step):
                found: yaml.Node = value
                return found
            if key.tag == "tag:yaml.org,2002:merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        return next(filter(None, (_step(each, step) for each in merged)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        below: yaml.Node = node.value[step]
        return below
    return None


def _look_over(root: yaml.Node) -> None:
    """Refuse keys that come twice, circles, and aliases that unfold to very much."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in above:
            raise Unreadable("an alias leads back to what it stands in", _place(node.start_mark))
        if depth > _DEPTH:
            raise Unreadable(f"it is nested deeper than {_DEPTH} levels", _place(node.start_mark))
        if id(node) not in sizes:
            above.add(id(node))
            sizes[id(node)] = 1 + sum(size(each, depth + 1) for each in _parts(node))
            above.discard(id(node))
        if sizes[id(node)] > _NODES:
            raise Unreadable(f"it has more than {_NODES} values", _place(node.start_mark))
        return sizes[id(node)]

    size(root, 0)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable("a key must be a plain text", _place(key.start_mark))
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise Unreadable(
                    f"{key.value!r} stands there twice; the second would replace the first", _place(key.start_mark)
                )
            seen.add(key.value)
            yield value
