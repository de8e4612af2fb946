"""files.*: announce a file, upload its bytes, share it."""

import secrets
from typing import Any, Final

from tests.fakes.slack.methods.call import Call, Json, Method
from tests.fakes.slack.model import Channel, File
from tests.fakes.slack.posting import post
from tests.fakes.slack.refusals import Refused

SNIPPET_BYTES: Final = 1_000_000


def _announce(call: Call) -> Json:
    length = call.args["length"]
    if length < 1 or (call.args.get("snippet_type") and length > SNIPPET_BYTES):
        raise Refused("invalid_arguments", messages=["[ERROR] invalid `length` [json-pointer:/length]"])
    file = File(call.cloud.new_id("F"), call.args["filename"], length, secrets.token_hex(12))
    file.url = f"{call.cloud.url}/files-pri/{file.id}/{file.name}"
    call.cloud.files[file.id] = file
    return {"upload_url": f"{call.cloud.url}/upload/v1/{file.secret}", "file_id": file.id}


def _uploaded(call: Call, item: Any) -> File:
    file = call.cloud.files.get(item.get("id", "")) if isinstance(item, dict) else None
    if file is None or file.content is None:
        raise Refused("file_not_found")
    file.title = item.get("title") or file.name
    return file


def _targets(call: Call) -> list[Channel]:
    said = [call.args.get("channel_id") or "", *(call.args.get("channels") or "").split(",")]
    return [call.joined(id) for id in said if id]


def _complete(call: Call) -> Json:
    files = call.args["files"]
    if not isinstance(files, list) or not files:
        raise Refused("invalid_arguments", messages=["[ERROR] must be an array [json-pointer:/files]"])
    targets = _targets(call)
    uploaded = [_uploaded(call, item) for item in files]
    for channel in targets:
        comment = call.args.get("initial_comment") or ""
        post(call.cloud, channel, call.by, comment, [], thread_ts=call.args.get("thread_ts"), files=uploaded)
    return {"files": [{"id": file.id, "title": file.title} for file in uploaded]}


METHODS: Final[dict[str, Method]] = {
    "files.getUploadURLExternal": Method(
        _announce,
        {"filename": "text", "length": "number", "snippet_type": "text", "alt_txt": "text"},
        ("filename", "length"),
        "files:write",
        "tier4",
        writes=True,
    ),
    "files.completeUploadExternal": Method(
        _complete,
        {
            "files": "json",
            "channel_id": "text",
            "channels": "text",
            "initial_comment": "text",
            "thread_ts": "text",
        },
        ("files",),
        "files:write",
        "tier4",
        writes=True,
    ),
}
