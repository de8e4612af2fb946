"""Where callbacks go on the wire: nothing at all to where they must not, and words for whatever a receiver does."""

import asyncio
import ipaddress
import itertools
import os
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.outbox import Allowed, Egress, egress
from bot.outbox.egress import NotSent, is_denied
from tests.fakes import receiver as zoo
from tests.fakes.receiver import Manner, receiver

BODY: Final = b'{"type":"endpoint.test"}'
TRAP_PORT: Final = 8443
PUBLIC: Final = "1.1.1.1"


class Trap:
    """A server on an address that nothing may be sent to."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connections = 0
        self.bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.bytes += len(await reader.read(65_536))
        writer.close()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    """On a loopback address that no other test has, at a port that is sent to."""
    made = Trap(f"127.{random.randint(1, 250)}.{os.getpid() % 250}.{random.randint(2, 250)}")
    server = await asyncio.start_server(made.serve, made.address, TRAP_PORT)
    yield made
    server.close()


class Resolver(AbstractResolver):
    """Answers with these, one after the other, and then with the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in next(self._answers)
        ]

    async def close(self) -> None:
        pass


class LooksFirst(Resolver):
    """The defence that does not hold: it looks the name over, and lets the connection look it up again."""

    def __init__(self, real: Resolver) -> None:
        self._real = real

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        for found in await self._real.resolve(host, port, family):
            if is_denied(ipaddress.ip_address(found["host"])):
                raise OSError("denied")
        return await self._real.resolve(host, port, family)


@asynccontextmanager
async def way_out(
    allow: str = "", *, resolver: Resolver | None = None, listens: tuple[str, int] | None = None, total_s: float = 1.0
) -> AsyncIterator[Egress]:
    made = Egress(Allowed.read(allow), resolver=resolver, listens=listens, total_s=total_s)
    try:
        yield made
    finally:
        await made.close()


async def refused(out: Egress, url: str) -> str:
    with pytest.raises(NotSent) as found:
        await out.post(url, BODY, {})
    return str(found.value)


# --- nothing arrives ---


@pytest.mark.parametrize("spelt", ["{}", "::ffff:{}"])
async def test_a_name_that_leads_inside_is_not_connected_to(trap: Trap, spelt: str) -> None:
    async with way_out(resolver=Resolver([spelt.format(trap.address)])) as out:
        assert "not on the public internet" in await refused(out, "https://hooks.example.com:8443/")
    assert (trap.connections, trap.bytes) == (0, 0)


@pytest.mark.parametrize("spelt", ["{}", "[::ffff:{}]"])
async def test_a_literal_is_not_connected_to_even_if_the_url_is_not_looked_at(
    trap: Trap, spelt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver never sees a literal; the connection does."""
    monkeypatch.setattr(egress, "checked", lambda url, _: url)
    async with way_out(resolver=Resolver([trap.address])) as out:
        await refused(out, f"https://{spelt.format(trap.address)}:{TRAP_PORT}/")
    assert (trap.connections, trap.bytes) == (0, 0)


async def test_a_name_that_was_public_when_it_was_looked_at_is_not_followed_inside(trap: Trap) -> None:
    rebinding = Resolver([PUBLIC], [trap.address])
    assert (await rebinding.resolve("hooks.example.com"))[0]["host"] == PUBLIC
    async with way_out(resolver=rebinding) as out:
        await refused(out, "https://hooks.example.com:8443/")
    assert (trap.connections, trap.bytes) == (0, 0)


async def test_a_check_of_names_alone_would_let_it_in(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard taken out, the tests above have something to find: rebinding and literals both arrive."""
    monkeypatch.setattr(Egress, "_guard", Egress._guard_all)
    rebinding = Resolver([PUBLIC], [trap.address])
    async with way_out(resolver=LooksFirst(rebinding)) as out:
        await refused(out, "https://hooks.example.com:8443/")  # there is no TLS in the trap; it has the bytes
    assert trap.connections == 1
    monkeypatch.setattr(egress, "checked", lambda url, _: url)
    async with way_out(resolver=LooksFirst(Resolver([PUBLIC]))) as out:
        await refused(out, f"https://[::ffff:{trap.address}]:{TRAP_PORT}/")
    assert (trap.connections, trap.bytes > 0) == (2, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(trap: Trap, status: int) -> None:
    leads = zoo.says(status, f"Location: http://{trap.address}:{TRAP_PORT}/\r\n")
    async with receiver(leads) as hook, way_out("127.0.0.1") as out:
        assert (await out.post(hook.url, BODY, {})).status == status
    assert (trap.connections, trap.bytes) == (0, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_the_service_s_own_port_is_not_connected_to_even_where_the_host_is_allowed(host: str) -> None:
    async with receiver() as hook, way_out(host, listens=("127.0.0.1", hook.port)) as out:
        assert "this service itself" in await refused(out, f"http://{host}:{hook.port}/")
    assert hook.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hide the target from the check."""
    async with receiver() as proxy, receiver() as hook, way_out("127.0.0.1") as out:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await out.post(hook.url, BODY, {})).status == 200
    assert (proxy.connections, len(hook.requests)) == (0, 1)


async def test_a_host_that_is_not_allowed_is_not_sent_to_beside_one_that_is() -> None:
    async with receiver() as hook, receiver() as other, way_out(f"127.0.0.1:{hook.port}") as out:
        assert (await out.post(hook.url, BODY, {})).status == 200
        await refused(out, other.url)
    assert other.connections == 0


# --- whatever a receiver does ---


@pytest.mark.parametrize(
    "manner, words",
    [
        (zoo.hang, "no answer within 1 s"),
        (zoo.drip, "no answer within 1 s"),
        (zoo.reset, "it hung up before it answered"),
        (zoo.garbage, "its answer is no HTTP"),
        (zoo.long_headers, "its answer is no HTTP"),
    ],
)
async def test_a_receiver_that_does_not_answer_is_told_of_in_words(manner: Manner, words: str) -> None:
    async with receiver(manner) as hook, way_out("127.0.0.1") as out:
        assert await refused(out, hook.url) == words


@pytest.mark.parametrize("manner", [zoo.flood, zoo.bomb])
async def test_what_a_receiver_says_beyond_its_status_is_hardly_read(manner: Manner) -> None:
    async with receiver(manner) as hook, way_out("127.0.0.1", total_s=10) as out:
        async with asyncio.timeout(5):
            assert (await out.post(hook.url, BODY, {})).status == 200


async def test_nobody_there_and_no_such_name_are_told_of_in_words() -> None:
    async with receiver() as hook:
        gone = hook.url
    async with way_out("127.0.0.1,nowhere.invalid") as out:
        assert (await refused(out, gone)).startswith("no connection (")
        assert await refused(out, "http://nowhere.invalid/") == "its name cannot be resolved"


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, with a certificate for `name` that only whoever has the file trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(public + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


@pytest.fixture
def tls(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, Path]]:
    return lambda name: certificate(tmp_path, name)


async def test_tls_is_checked(tls: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    context, file = tls("localhost")
    async with receiver(tls=context) as hook:
        url = f"https://localhost:{hook.port}/"
        async with way_out("localhost") as out:
            assert await refused(out, url) == "its TLS certificate is not trusted"
        assert hook.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with way_out("localhost,127.0.0.1") as out:
            assert (await out.post(url, BODY, {})).status == 200
            told = await refused(out, f"https://127.0.0.1:{hook.port}/")
            assert told == "its TLS certificate is not trusted", "it is for another name"


async def test_nothing_is_kept_from_one_callback_to_the_next() -> None:
    """No cookie, no connection."""
    async with receiver(zoo.says(200, "Set-Cookie: a=b; Path=/\r\n")) as hook, way_out("127.0.0.1") as out:
        for _ in range(2):
            await out.post(hook.url, BODY, {})
        assert hook.connections == 2
        assert "cookie" not in hook.requests[1].headers
