"""Any bytes, and any mutated envelope: `receive` never raises, and each delivery gets exactly one outcome."""

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.kernel.errors import RuleViolation
from shared.kernel.outcome import DONE, DeadLetter
from shared.kernel.ports import Delivery
from tests.support.kernel_fakes import Add, World, body, delivery, fields, raising, tally_service

ENVELOPE = body(Add(1))

JSON = st.sampled_from([None, True, 0, -1, 17, 2**53, 2**70, -(10**400), 1e-9, 1.5, "", "3", "\0", "é" * 99, [], {}])
JSON = JSON | st.lists(JSON, max_size=2) | st.dictionaries(st.sampled_from(["", "amount", "note"]), JSON, max_size=3)
NAMES = st.sampled_from([*fields(hops=1, correlationid="c", expirytime="e", dataschema="d", sequence="s"), "", "?"])
TEXTS = st.text(max_size=12) | st.sampled_from(["1.0", "s1", "tally.add.v1", "2026-11-20T12:00:00Z", "3", "-1", "null"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid envelope with some bytes cut out, put in or replaced."""
    raw = bytearray(ENVELOPE)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        length = draw(st.integers(0, 6))
        raw[start : start + length] = draw(st.binary(max_size=6))
    return bytes(raw)


@st.composite
def misfitting(draw: st.DrawFn) -> bytes:
    """An envelope some of whose fields hold any JSON."""
    return msgspec.json.encode({**fields(), **draw(st.dictionaries(NAMES, JSON, max_size=4))})


def survives(*bad: Delivery) -> None:
    """Nothing is raised, each gets one outcome, and a good message in their midst goes through."""
    world = World(tally_service(raising(RuleViolation("negative"))))
    half = len(bad) // 2

    outcomes = world.receive(*bad[:half], delivery(Add(7), id="good", subject="good"), *bad[half:])

    assert outcomes.pop(half) == DONE
    assert len(outcomes) == len(bad)
    assert all(outcome.failure.text for outcome in outcomes if isinstance(outcome, DeadLetter))
    assert len(world.log()) == len(bad) + 1


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_any_bytes_are_survived(bodies):
    survives(*map(Delivery, bodies))


@settings(max_examples=50)
@given(st.lists(mutated(), max_size=4), st.integers(1, 6), st.booleans())
@example(bodies=[ENVELOPE + b"\0"], attempts=1, addressed=False)
@example(bodies=[ENVELOPE[:-1] + b',"hops":' + b"9" * 4300 + b"}"], attempts=1, addressed=True)
def test_any_mutated_envelope_is_survived(bodies, attempts, addressed):
    survives(*[Delivery(each, attempts, addressed) for each in bodies])


@settings(max_examples=35)
@given(st.lists(misfitting(), max_size=4), st.integers(1, 6), st.booleans())
def test_any_json_in_any_field_is_survived(bodies, attempts, addressed):
    survives(*[Delivery(each, attempts, addressed) for each in bodies])


@settings(max_examples=35)
@given(
    st.dictionaries(NAMES.map(lambda name: f"ce-{name}"), TEXTS, max_size=10),
    st.binary(max_size=20) | JSON.map(msgspec.json.encode),
)
@example({"ce-source": "\ud800"}, b"{}")
def test_any_headers_are_survived(headers, payload):
    survives(Delivery(payload, attributes={"ce-id": "m1", **headers}))
