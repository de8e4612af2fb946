"""The JSON Schema of the policy file, so that editors complete it and show what is wrong while it is written."""

from functools import cache
from typing import Any

from bot.policy._file import Policy


@cache
def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file. `parse` refuses more: what no schema can say."""
    made = _plain(Policy.model_json_schema(mode="validation"))
    del made["properties"]["version"]  # it is the file's hash, and not to be written
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Andon policy", **made}


def _plain(value: Any) -> Any:
    """Without what is noise to a person: generated titles, defaults that are not as written, and `or null`."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _plain(each)
        for key, each in value.items()
        if not (key == "title" and isinstance(each, str)) and not (key == "default" and not _is_written(each, value))
    }
    if "items" in kept and "maxLength" in kept:
        kept["maxItems"] = kept.pop("maxLength")
    either = kept.get("anyOf")
    if isinstance(either, list) and {"type": "null"} in either:
        others = [each for each in either if each != {"type": "null"}]
        del kept["anyOf"]
        kept = {**others[0], **kept} if len(others) == 1 else {**kept, "anyOf": others}
    return kept


def _is_written(default: object, schema: dict[str, Any]) -> bool:
    """Could it stand in a file like this?"""
    if isinstance(default, int) and not isinstance(default, bool):
        return schema.get("type") in {"integer", "number"}
    return default is not None and default != ["*"] and not isinstance(default, dict)
