"""A callback is the service's, from now and unchanged, or it is `InvalidCallback`."""

import contextlib
import copy
import email.message
import hmac
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from standardwebhooks.webhooks import Webhook
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

from andon import (
    Aborted,
    Answered,
    Approved,
    Chosen,
    Edited,
    Expired,
    NotConfigured,
    Rejected,
    Undeliverable,
    Withdrawn,
)
from andon.callbacks import BrakeEvent, Callback, HandoffEvent, InvalidCallback, verify
from andon.callbacks._verify import Secrets
from tests.fakes.callbacks import AT, DECIDED, MIRA, OTHER, SECRET, body, decided, signature, signed

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
T = int(NOW.timestamp())
BODY = body()


def headers(content: bytes = BODY, **changes: Any) -> dict[str, str]:
    return signed(content, **{"at": T, **changes})


def check(given: Any, content: Any = BODY, secret: Any = SECRET) -> Callback:
    return verify(given, content, secret=secret, now=NOW)


class TestTheSpecification:
    """Vectors of the specification's reference libraries.

    Source: standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py, read 2026-11.
    """

    KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    AT = 1614265330
    PAYLOAD = b'{"test": 2432232314}'
    SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    NONE = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="

    @pytest.mark.parametrize("key", [KEY, f"whsec_{KEY}"])
    @pytest.mark.parametrize(
        "signatures, good",
        [
            (SIGNATURE, True),
            (f"{NONE} {NONE.replace('v1', 'v2')} {SIGNATURE} {NONE}", True),
            (f"v1a,{SIGNATURE[3:]}", False),
            (NONE, False),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", False),
        ],
    )
    def test_vectors(self, key: str, signatures: str, good: bool) -> None:
        given = {
            "webhook-id": self.ID,
            "webhook-timestamp": str(self.AT),
            "webhook-signature": signatures,
        }
        now = datetime.fromtimestamp(self.AT, UTC)
        if good:
            assert Secrets(key).check(given, self.PAYLOAD, now=now)[0] == self.ID
        else:
            with pytest.raises(InvalidCallback):
                Secrets(key).check(given, self.PAYLOAD, now=now)

    def test_what_the_reference_library_signs_is_taken(self) -> None:
        made = Webhook(SECRET).sign("cb_9", NOW, BODY.decode())
        given = {"webhook-id": "cb_9", "webhook-timestamp": str(T), "webhook-signature": made}
        assert check(given).id == "cb_9"


class TestWhatItSays:
    def test_an_approval(self) -> None:
        callback = check(headers())
        assert (callback.id, callback.type, callback.timestamp) == ("cb_1", "handoff.decided", NOW)
        assert isinstance(callback.data, HandoffEvent)
        assert (callback.data.handoff, callback.data.run, callback.data.token) == ("hf_1", "run_1", "hf_1.token")
        match callback.decision:
            case Approved(by=by, reason=reason, handoff=handoff):
                assert (by.name, reason, handoff) == ("Mira", "fine", "hf_1")
            case other:
                pytest.fail(f"{other!r}")

    @pytest.mark.parametrize(
        "decision, kind",
        [
            ({"kind": "approved", "digest": "0" * 64}, Approved),
            ({"kind": "edited", "digest": "0" * 64}, Edited),
            ({"kind": "chosen", "digest": "0" * 64, "choice": "a"}, Chosen),
            ({"kind": "answered", "digest": "0" * 64, "answer": {"amount": 5}}, Answered),
            ({"kind": "answered", "digest": "0" * 64}, Answered),
            ({"kind": "rejected", "reason": "no"}, Rejected),
            ({"kind": "expired"}, Expired),
            ({"kind": "withdrawn"}, Withdrawn),
            ({"kind": "aborted"}, Aborted),
            ({"kind": "undeliverable", "reason": "no such channel"}, Undeliverable),
            ({"kind": "rejected"}, Rejected),
        ],
    )
    def test_each_decision_is_the_packages_own(self, decision: dict[str, Any], kind: type) -> None:
        content = body(decided(**decision, of_a_newer_service=1))
        found = check(headers(content), content).decision
        assert isinstance(found, kind)
        assert found is not None
        assert found.handoff == "hf_1"
        assert "of_a_newer_service" not in repr(found)

    def test_nobody_runs_with_arguments_that_were_not_sent(self) -> None:
        """An empty `args` would be taken for the approved ones."""
        for sent, name in [
            ({"kind": "approved", "digest": "0" * 64}, "args"),
            ({"kind": "edited", "digest": "0" * 64}, "args"),
            ({"kind": "chosen", "digest": "0" * 64, "choice": "a"}, "candidate"),
            ({"kind": "answered", "digest": "0" * 64}, "answer"),
            ({"kind": "rejected"}, "reason"),
            ({"kind": "undeliverable"}, "reason"),
        ]:
            content = body(decided(**sent))
            found = check(headers(content), content).decision
            with pytest.raises(AttributeError, match=r"resume\(andon\)"):
                getattr(found, name)
            assert f"{name}=" not in repr(found)
            with pytest.raises(AttributeError, match="no attribute 'arguments'"):
                getattr(found, "arguments")  # noqa: B009 - it has none

    def test_it_may_be_kept_and_sent_on(self) -> None:
        callback = check(headers())
        assert pickle.loads(pickle.dumps(callback)) == copy.deepcopy(callback) == callback  # noqa: S301 - ours
        kept = json.loads(callback.model_dump_json())
        assert (kept["data"]["decision"]["kind"], "args" in kept["data"]["decision"]) == ("approved", False)

    def test_no_remark_is_none(self) -> None:
        content = body(decided(kind="approved", digest="0" * 64))
        found = check(headers(content), content).decision
        assert isinstance(found, Approved)
        assert (found.reason, found.policy) == (None, "none")

    def test_what_was_sent_is_there(self) -> None:
        content = body(decided(kind="answered", digest="0" * 64, answer={"amount": 5}))
        found = check(headers(content), content).decision
        assert isinstance(found, Answered)
        assert found.answer == {"amount": 5}

    @pytest.mark.parametrize("state", ["pending", "held", "of a newer service"])
    def test_an_undecided_one_has_no_decision(self, state: str) -> None:
        told = {**DECIDED, "type": "handoff.held", "data": {**DECIDED["data"], "state": state, "decision": None}}
        callback = check(headers(body(told)), body(told))
        assert callback.decision is None
        assert isinstance(callback.data, HandoffEvent)
        assert callback.data.state == state

    def test_a_decision_of_a_newer_service_is_none(self) -> None:
        """Unknown is not approved."""
        for decision in ({"kind": "approved_in_part"}, {"kind": ["approved"]}, {"kind": "approved", "revision": 0}):
            content = body(decided(**decision))
            assert check(headers(content), content).decision is None

    @pytest.mark.parametrize("kind", ["brake.braked", "brake.lifted"])
    def test_a_brake(self, kind: str) -> None:
        pull = {"action": "stop", "scope": {"run": "run_" + "x" * 22}, "by": MIRA, "at": AT, "epoch": 3, "new": 1}
        content = body({"type": kind, "timestamp": AT, "data": {"brake": pull, "left_out": ["brake.text"]}})
        callback = check(headers(content), content)
        assert isinstance(callback.data, BrakeEvent)
        assert (callback.data.brake.action, callback.data.brake.epoch, callback.decision) == ("stop", 3, None)

    @pytest.mark.parametrize("kind", ["endpoint.test", "run.steered", "trust.reset", "of.a.newer.service"])
    def test_another_type_is_a_plain_object(self, kind: str) -> None:
        content = body({"type": kind, "timestamp": AT, "data": {"any": ["thing"]}, "more": 1})
        callback = check(headers(content), content)
        assert (callback.type, callback.data, callback.decision) == (kind, {"any": ["thing"]}, None)

    @pytest.mark.parametrize("kind", ["handoff.decided", "brake.braked", "brake.lifted"])
    def test_what_of_a_known_type_cannot_be_read_is_a_plain_object(self, kind: str) -> None:
        """A newer service may say it otherwise: it is hers all the same, and whoever resumes is told."""
        content = body({"type": kind, "timestamp": AT, "data": {"new": 1}})
        callback = check(headers(content), content)
        assert (callback.data, callback.decision) == ({"new": 1}, None)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"text"',
            b"{",
            b"[" * 60_000,
            b'{"type": "handoff.decided"}',
            body({**DECIDED, "timestamp": "yesterday"}),
            body({**DECIDED, "timestamp": "2026-11-22T20:00:00"}),
            body({**DECIDED, "data": []}),
            body({**DECIDED, "type": 5}),
            BODY + b" " * 65_536,
            BODY[:-1] + b'\xff"}',
        ],
    )
    def test_a_signed_body_that_is_none_of_ours_is_invalid(self, content: bytes) -> None:
        with pytest.raises(InvalidCallback):
            check(headers(content), content)


class TestTime:
    @pytest.mark.parametrize("away", [-300, -299, 0, 299, 300])
    def test_inside_the_window(self, away: int) -> None:
        assert check(headers(at=T + away)).id == "cb_1"

    @pytest.mark.parametrize("away", [-301, 301, -86_400 * 400, 10**11])
    def test_outside_of_it(self, away: int) -> None:
        with pytest.raises(InvalidCallback):
            check(headers(at=T + away))

    def test_now_is_the_machines_own(self) -> None:
        assert verify(signed(BODY), BODY, secret=SECRET).id == "cb_1"
        with pytest.raises(InvalidCallback):
            verify(headers(), BODY, secret=SECRET, now=datetime(2026, 11, 22, 21, 0, tzinfo=UTC))


class TestHeaders:
    @pytest.mark.parametrize(
        "made",
        [
            dict,
            CIMultiDict,
            lambda given: CIMultiDictProxy(CIMultiDict(given)),
            StarletteHeaders,
            lambda given: StarletteHeaders(raw=[(k.lower().encode(), v.encode()) for k, v in given.items()]),
            WerkzeugHeaders,
            lambda given: list(given.items()),
            lambda given: iter(given.items()),
            lambda given: [(name.encode(), value.encode()) for name, value in given.items()],
            lambda given: {**given, "other": None, "more": ["list"]},
        ],
    )
    @pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
    def test_any_framework_and_any_case(self, made: Callable[[Any], Any], case: Callable[[str], str]) -> None:
        given = {case(name): value for name, value in headers().items()}
        assert check(made(given)).id == "cb_1"

    def test_the_standard_librarys(self) -> None:
        message = email.message.Message()
        for name, value in headers().items():
            message[name] = value
        assert check(message).id == "cb_1"

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_a_missing_or_repeated_one_is_invalid(self, name: str) -> None:
        good = headers()
        for bad in (
            {key: value for key, value in good.items() if key != name},
            {**good, name: ""},
            {**good, name: None},
            {**good, name: [good[name]]},
            {**good, name.title(): good[name]},
            [*good.items(), (name, good[name])],
            [*good.items(), (name.upper().encode(), good[name].encode())],
            CIMultiDict([*good.items(), (name, good[name])]),
            StarletteHeaders(raw=[(k.encode(), v.encode()) for k, v in [*good.items(), (name, good[name])]]),
            WerkzeugHeaders([*good.items(), (name, good[name])]),
            {**good, name: f"{good[name]},{good[name]}"},  # as WSGI servers join repeated ones
            {**good, name: f"{good[name]}, {good[name]}"},
        ):
            with pytest.raises(InvalidCallback):
                check(bad)

    @pytest.mark.parametrize(
        "changed",
        [
            {"webhook-id": "a.b"},
            {"webhook-id": "x" * 257},
            {"webhook-id": "cb\n1"},
            {"webhook-id": "cb_1\n"},
            {"webhook-id": "\udc80"},
            {"webhook-timestamp": f" {T}"},
            {"webhook-timestamp": f"{T}.0"},
            {"webhook-timestamp": f"+{T}"},
            {"webhook-timestamp": f"{T}\n"},
            {"webhook-timestamp": "9" * 400},
            {"webhook-timestamp": "nan"},
            {"webhook-timestamp": "".join(chr(0x660 + int(digit)) for digit in str(T))},  # digits, but not ours
            {"webhook-signature": "v1"},
            {"webhook-signature": ",,,"},
            {"webhook-signature": "v1,***"},
            {"webhook-signature": "v1,AAA"},
            {"webhook-signature": "v1,\u00e4"},
            {"webhook-signature": "v1," + "A" * 100_000},
            {"webhook-signature": " ".join(["v1,AAAA"] * 17)},
        ],
    )
    def test_a_hostile_one_is_invalid(self, changed: dict[str, str]) -> None:
        """Each is signed as it stands where it can be, so that its form alone is what is refused."""
        given = headers(id=changed.get("webhook-id", "cb_1").encode("ascii", "replace").decode()) | changed
        with pytest.raises(InvalidCallback):
            check(given)

    def test_a_full_stop_in_an_id_cannot_move_bytes_between_id_and_time(self) -> None:
        """`a.1` at 2 and `a` at `1.2` sign the same bytes."""
        content = BODY
        given = headers(content, id=f"cb.{T}")
        with pytest.raises(InvalidCallback):
            check(given, content)


class TestSecrets:
    @pytest.mark.parametrize("secret", [f"{OTHER} {SECRET}", f"{SECRET}  {OTHER}\n", [OTHER, SECRET], (SECRET, OTHER)])
    def test_while_it_is_rotated_either_is_good(self, secret: Any) -> None:
        for signed_with in (SECRET, OTHER):
            assert check(headers(secret=signed_with), secret=secret).id == "cb_1"

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_receiver_that_knows_one_takes_what_both_signed(self, order: int) -> None:
        both = [signature(BODY, id="cb_1", at=T, secret=each) for each in (SECRET, OTHER)][::order]
        for secret in (SECRET, OTHER):
            assert check({**headers(), "webhook-signature": " ".join(both)}, secret=secret).id == "cb_1"

    def test_it_is_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANDON_CALLBACK_SECRET", f"{OTHER} {SECRET}")
        assert check(headers(), secret=None).id == "cb_1"

    @pytest.mark.parametrize(
        "secret", ["", "  ", [], [""], "whsec_", "whsec_AAAA", "whsec_***", "secret", "\u00e4" * 40]
    )
    def test_what_cannot_be_one_is_said_and_not_shown(self, secret: Any) -> None:
        with pytest.raises(NotConfigured) as raised:
            check(headers(), secret=secret)
        assert "whsec_" in str(raised.value)
        assert "AAAA" not in str(raised.value)

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ANDON_CALLBACK_SECRET", raising=False)
        with pytest.raises(NotConfigured, match="ANDON_CALLBACK_SECRET"):
            check(headers(), secret=None)
        monkeypatch.setenv("ANDON_CALLBACK_SECRET", "")
        with pytest.raises(NotConfigured, match="ANDON_CALLBACK_SECRET"):
            check(headers(), secret=None)

    def test_time_does_not_tell_which_secret_or_signature_fits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is compared with each, also after one has fitted, and always in constant time."""
        compared: list[object] = []
        equal = hmac.compare_digest

        def compare(known: Any, given: Any) -> bool:
            compared.append(given)
            return equal(known, given)

        monkeypatch.setattr(hmac, "compare_digest", compare)
        good, none = headers()["webhook-signature"], signature(BODY, id="other", at=T)
        counts = set()
        for signatures in ([good, none, none], [none, none, good], [none, none, none]):
            for secret in ([SECRET, OTHER], [OTHER, SECRET]):
                compared.clear()
                given = {**headers(), "webhook-signature": " ".join(signatures)}
                if good in signatures:
                    check(given, secret=secret)
                else:
                    with pytest.raises(InvalidCallback):
                        check(given, secret=secret)
                counts.add(len(compared))
        assert counts == {6}


@pytest.mark.parametrize("content", [BODY.decode(), json.loads(BODY), None, list(BODY)])
def test_a_body_that_is_not_the_bytes_as_received_is_the_callers_mistake(content: Any) -> None:
    with pytest.raises(TypeError, match="bytes as received"):
        check(headers(), content)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind(kind: Callable[[bytes], Any]) -> None:
    assert check(headers(), kind(BODY)).id == "cb_1"


class TestMutations:
    """Whatever is changed, the answer is the one error, and never a yes."""

    @given(st.data())
    def test_of_the_body(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(BODY)))
        cut = data.draw(st.integers(0, 5))
        content = BODY[:at] + data.draw(st.binary(max_size=5)) + BODY[at + cut :]
        if content != BODY:
            with pytest.raises(InvalidCallback):
                check(headers(), content)

    @given(st.data())
    def test_of_a_header(self, data: st.DataObject) -> None:
        good = headers()
        name = data.draw(st.sampled_from(sorted(good)))
        value = good[name]
        at = data.draw(st.integers(0, len(value)))
        cut = data.draw(st.integers(0, 5))
        changed = value[:at] + data.draw(st.text(max_size=5)) + value[at + cut :]
        # A further signature, or a part that is none, beside the good one changes nothing.
        assume(changed != value and not (name == "webhook-signature" and value in changed.split(" ")))
        with pytest.raises(InvalidCallback):
            check({**good, name: changed})

    @given(
        st.lists(
            st.tuples(
                st.text(max_size=20) | st.sampled_from(sorted(headers())),
                st.text(max_size=80) | st.none() | st.integers() | st.binary(),
            )
        ),
        st.binary(max_size=200),
    )
    def test_of_everything(self, pairs: list[tuple[str, Any]], content: bytes) -> None:
        with pytest.raises(InvalidCallback):
            check(pairs, content)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
            max_leaves=9,
        ),
        st.sampled_from(
            [
                "type",
                "timestamp",
                "data",
                "handoff",
                "run",
                "state",
                "decision",
                "kind",
                "by",
                "at",
                "token",
                "left_out",
            ]
        ),
        st.sampled_from(["handoff.decided", "brake.braked", "x"]),
    )
    def test_of_what_a_signed_body_says(self, value: Any, name: str, kind: str) -> None:
        """Even a body with a good signature raises nothing else."""
        told = json.loads(BODY) | {"type": kind}
        for place in (told, told["data"], told["data"]["decision"]):
            if name in place:
                place[name] = value
        content = json.dumps(told).encode()
        with contextlib.suppress(InvalidCallback):
            assert check(headers(content), content).id == "cb_1"


def test_without_the_extra_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['standardwebhooks'] = None\nimport andon\nimport andon.callbacks"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert 'pip install "andon[callbacks]"' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ImportError: ")


def test_no_framework_is_imported_unless_its_handler_is() -> None:
    script = "import sys, andon.callbacks\nprint(sorted({'flask', 'starlette', 'fastapi', 'redis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
