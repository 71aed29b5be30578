"""Whatever a server does, a call of the client ends in time and after the attempts allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flyball.client import calls
from flyball.client.credentials import Fixed, SignedIn
from flyball.client.effects import Alone, Answer, Lost, Pause, Wire
from flyball.client.errors import ClientError
from flyball.client.exchange import Options, Session, steps_of

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = st.sampled_from([200, 400, 401, 404, 422, 429, 500, 502, 503, 504])
PAUSES = st.one_of(st.none(), st.floats(0, 100), st.sampled_from(["soon", "-1", "inf"]))
BODIES = st.sampled_from([b'{"items": []}', b'{"access_token": "t", "expires_in": 9}', b"<html>"])


@st.composite
def came(draw):
    """What comes of one request, and how long it takes."""
    takes = draw(st.floats(0, 3))
    if draw(st.booleans()):
        return takes, Lost("the connection broke")
    pause = draw(PAUSES)
    headers = {} if pause is None else {"retry-after": str(pause)}
    return takes, Answer(draw(STATUSES), headers, draw(BODIES))


def run(steps, world):
    """Carry steps out in a world whose time passes only here."""
    try:
        effect = next(steps)
        while True:
            try:
                result = world.do(effect)
            except ClientError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as done:
        return done.value


class World:
    def __init__(self, script):
        self.script, self.time, self.wires = list(script), 0.0, []

    def do(self, effect):
        match effect:
            case Wire():
                self.wires.append(effect)
                takes, answer = self.script.pop(0) if self.script else (0.0, Lost("gone"))
                if takes >= effect.seconds:
                    takes, answer = effect.seconds, Lost("the time was over", late=True)
                self.time += takes
                return answer
            case Pause(seconds):
                assert seconds >= 0.0
                self.time += seconds
                return None
            case Alone(steps):
                return run(steps, self)


@given(
    script=st.lists(came(), max_size=30),
    timeout=st.floats(0.01, 5),
    retries=st.integers(0, 8),
    draw=st.floats(0, 1, exclude_max=True),
    signs_in=st.booleans(),
)
def test_a_call_ends_within_its_timeout_and_its_attempts(script, timeout, retries, draw, signs_in):
    world = World(script)
    someone = SignedIn({"grant_type": "password"}, clock=lambda: world.time)
    credentials = someone if signs_in else Fixed({})
    session = Session(
        base="http://server",
        credentials=credentials,
        clock=lambda: world.time,
        now=lambda: START + timedelta(seconds=world.time),
        draw=lambda: draw,
    )
    options = Options(timeout=timeout, retries=retries)
    try:
        found = run(steps_of(calls.search("x"), session, options), world)
    except ClientError:
        found = None
    assert found is None or found.items == []
    assert world.time <= timeout + 1e-6
    asked = [wire for wire in world.wires if "/v1/search" in wire.url]
    assert len(asked) <= retries + 2  # one more after a token was renewed
    assert all(float(wire.headers["x-request-timeout"]) <= timeout + 1e-3 for wire in world.wires)
