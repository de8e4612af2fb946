"""As callbacks_aiohttp.py, with FastAPI: `uvicorn examples.callbacks_fastapi:app --port 8090`.

Several workers share what they have seen in a Redis: `seen=SeenInRedis(redis.asyncio.Redis(...))`.
"""

from fastapi import FastAPI

from andon import Andon, Approved, ClaimRefused, Edited
from andon.callbacks import Callback
from andon.callbacks.starlette import receiver


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


app = FastAPI()
app.post("/andon")(receiver(decided))
