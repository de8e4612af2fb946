"""Try the product against a stand-in for Slack, in a browser: `python -m tests.fakes.slack`."""

import argparse
import asyncio
import signal
import sys

from tests.fakes.slack.cloud import SlackCloud


def standing_cast(cloud: SlackCloud) -> None:
    """Two full members, a guest, a channel with the bot and one without it."""
    mira = cloud.user("mira", email="mira@example.com", real_name="Mira Holm")
    ana = cloud.user("ana", email="ana@example.com", real_name="Ana Sousa")
    guest = cloud.user("guest", email="guest@partner.example", real_name="Guest", is_ultra_restricted=True)
    cloud.channel("#ops", members=[mira, ana, guest])
    cloud.channel("#random", members=[mira, ana], bot=False)
    cloud.group("@ops-leads", [mira, ana])


def instructions(cloud: SlackCloud) -> str:
    """What to set, so that the service talks to this and not to Slack."""
    settings = {
        "SLACK_API_URL": cloud.api_url,
        "SLACK_BOT_TOKEN": cloud.token,
        "SLACK_SIGNING_SECRET": cloud.app.signing_secret,
    }
    if not cloud.app.request_url:
        settings["SLACK_APP_TOKEN"] = cloud.app.app_token
    lines = [f"export {name}={value}" for name, value in settings.items()]
    way = f"Payloads go to {cloud.app.request_url}" if cloud.app.request_url else "Payloads go over Socket Mode"
    return "\n".join([f"A stand-in for Slack listens on {cloud.url}", f"{way}. To point the service here:", "", *lines])


async def serve(port: int, request_url: str) -> None:
    """Run until it is told to stop."""
    cloud = SlackCloud()
    cloud.app.request_url = request_url
    cloud.app.socket_mode = not request_url
    standing_cast(cloud)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with cloud.serving(port):
        sys.stdout.write(instructions(cloud) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.slack",
        description="Stand in for Slack, with a page in the browser to use it by hand.",
        epilog="examples:\n  python -m tests.fakes.slack --port 9090\n"
        "  python -m tests.fakes.slack --request-url http://127.0.0.1:8080/slack/events",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=9090, help="listen here (default: 9090)")
    parser.add_argument("--request-url", default="", help="send payloads here by HTTP (default: Socket Mode)")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.request_url))


if __name__ == "__main__":
    main()
