"""As callbacks_aiohttp.py, with Flask: `flask --app examples.callbacks_flask run --port 8090`."""

import flask

from andon import Andon, Approved, ClaimRefused, Edited
from andon.callbacks import Callback
from andon.callbacks.flask import receiver


async def decided(callback: Callback) -> None:  # on an event loop for this one request
    if callback.type != "handoff.decided":
        return
    async with Andon() as andon:
        _, handoff = await callback.resume(andon)  # what stands now, not what the callback said
        if not isinstance(handoff.decision, Approved | Edited):
            print(f"not sent: {handoff.decision and handoff.decision.message_for_agent}")
            return
        try:
            permit = await handoff.claim()  # the leave to act, given once
        except ClaimRefused as refused:
            print(f"not sent: {refused}")
            return
        print(f"sent {permit.args['subject']!r} to {permit.args['to']}")
        await handoff.report("executed", result="sent")


app = flask.Flask(__name__)
app.post("/andon")(receiver(decided))
