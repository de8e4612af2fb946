"""An agent that is only there when it is needed: it goes on when the callback with a decision comes. With aiohttp.

Needs ANDON_URL, ANDON_KEY and ANDON_CALLBACK_SECRET.
"""

from aiohttp import web

from andon import Andon, Approved, ClaimRefused, Edited
from andon.callbacks import Callback
from andon.callbacks.aiohttp import receiver


async def decided(callback: Callback) -> None:
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


app = web.Application()
app.router.add_post("/andon", receiver(decided))

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=8090)
