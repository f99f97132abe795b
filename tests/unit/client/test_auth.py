"""Tokens: fixed ones, and the OAuth2 flow with renewal ahead of expiry."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.http.auth import (
    ClientCredentials,
    CredentialsFlow,
    IssuedToken,
    OAuth2,
    StaticToken,
)
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session, json_request
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, RequestRejected, Unauthorized, UnexpectedResponse
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
START_S = 1_000.0
CREDENTIALS = ClientCredentials(client_id="id-1", client_secret=SecretText("canary-secret"))
REQUEST = json_request("GET", "p", idempotent=True)


def issued(token: str, *, life_s: int = 1799) -> object:
    return json_response(
        {"access_token": token, "expires_in": life_s, "token_type": "bearer"}, status=201
    )


def make_issued(token: str, *, life: timedelta) -> IssuedToken:
    return IssuedToken(token=SecretText(token), issued_s=START_S, life=life)


def make_auth(transport: ScriptedTransport) -> tuple[OAuth2, FrozenClock]:
    clock = FrozenClock(NOW)
    auth = OAuth2(
        CredentialsFlow(CREDENTIALS),
        transport=transport,
        clock=clock,
        secret=CREDENTIALS.client_secret,
        policy=RetryPolicy(attempts=2),
    )
    return auth, clock


def script(*steps: object) -> ScriptedTransport:
    return ScriptedTransport(*steps)  # type: ignore[arg-type]  # steps come typed as object


def make_session(transport: ScriptedTransport, auth: OAuth2 | StaticToken) -> Session:
    return Session(
        transport, auth=auth, clock=FrozenClock(NOW), policy=RetryPolicy(), jitter=lambda: 0.0
    )


def test_flow_without_a_token_has_none() -> None:
    assert CredentialsFlow(CREDENTIALS).current(START_S) is None


def test_flow_token_is_good_until_the_margin_before_its_end() -> None:
    flow = CredentialsFlow(CREDENTIALS)
    flow.issued(make_issued("a", life=timedelta(minutes=30)))

    assert flow.current(START_S + 28 * 60 - 1) == SecretText("a")
    assert flow.current(START_S + 28 * 60) is None


def test_flow_short_life_is_used_for_half_of_it() -> None:
    flow = CredentialsFlow(CREDENTIALS)
    flow.issued(make_issued("a", life=timedelta(seconds=60)))

    assert flow.current(START_S + 29) == SecretText("a")
    assert flow.current(START_S + 30) is None


def test_flow_refusal_of_an_older_token_keeps_the_newer_one() -> None:
    flow = CredentialsFlow(CREDENTIALS)
    flow.issued(make_issued("new", life=timedelta(hours=1)))

    assert flow.refused(SecretText("old")) is False
    assert flow.current(START_S) == SecretText("new")


def test_flow_request_is_a_form_and_names_the_member_tenant() -> None:
    credentials = ClientCredentials(
        client_id="id-1", client_secret=SecretText("s&cret"), member_cid="ab"
    )

    request = CredentialsFlow(credentials).request()

    assert (request.method, request.path) == ("POST", "oauth2/token")
    assert request.content == (
        b"client_id=id-1&client_secret=s%26cret&grant_type=client_credentials&member_cid=ab"
    )
    assert "s&cret" not in repr(request)


async def test_oauth2_asks_once_for_many_callers_and_again_near_the_end() -> None:
    transport = script(issued("a"), issued("b"))
    auth, clock = make_auth(transport)

    first = await asyncio.gather(*(auth.token() for _ in range(5)))
    clock.advance(timedelta(minutes=28))
    later = await auth.token()

    assert set(first) == {SecretText("a")}
    assert later == SecretText("b")
    assert transport.left == 0


@pytest.mark.parametrize("step", [-timedelta(hours=1), timedelta(days=20_000)])
async def test_oauth2_life_does_not_hang_on_the_wall_clock(step: timedelta) -> None:
    """A clock that is set right, forwards or back, neither ends a token nor draws its life out."""
    transport = script(issued("a"), issued("b"))
    auth, clock = make_auth(transport)
    await auth.token()

    clock._now += step
    same = await auth.token()
    clock.advance(timedelta(minutes=28))
    later = await auth.token()

    assert (same, later) == (SecretText("a"), SecretText("b"))


async def test_oauth2_wrong_secret_is_named_without_the_secret() -> None:
    refusal = json_response(
        {"errors": [{"code": 403, "message": "access denied for canary-secret"}]}, status=403
    )
    auth, _ = make_auth(script(refusal))

    with pytest.raises(Forbidden) as caught:
        await auth.token()

    assert caught.value.problem == "access denied for ***"


async def test_oauth2_answer_of_another_shape_is_unexpected() -> None:
    auth, _ = make_auth(script(json_response({"access_token": 1, "expires_in": 2}, status=201)))

    with pytest.raises(UnexpectedResponse, match=r"token answer\.access_token should be text"):
        await auth.token()


async def test_oauth2_bad_request_is_not_repeated() -> None:
    transport = script(json_response({"errors": [{"message": "bad"}]}, status=400), issued("a"))
    auth, _ = make_auth(transport)

    with pytest.raises(RequestRejected):
        await auth.token()

    assert transport.left == 1


async def test_session_renews_once_after_a_401() -> None:
    transport = script(
        issued("old"), text_response("expired", status=401), issued("new"), json_response({})
    )
    auth, _ = make_auth(transport)

    response = await make_session(transport, auth).call(REQUEST)

    assert response.status == 200
    assert transport.requests[-1].bearer == SecretText("new")


async def test_session_refused_twice_gives_up() -> None:
    no = text_response("no", status=401)
    transport = script(issued("a"), no, issued("b"), no)
    auth, _ = make_auth(transport)

    with pytest.raises(Unauthorized):
        await make_session(transport, auth).call(REQUEST)

    assert transport.left == 0


async def test_session_with_a_fixed_token_does_not_try_again() -> None:
    transport = script(text_response("The supplied authentication is invalid", status=401))

    with pytest.raises(Unauthorized, match="authentication is invalid"):
        await make_session(transport, StaticToken(SecretText("t0ken-canary"))).call(REQUEST)


async def test_session_without_a_token_sends_none() -> None:
    transport = script(json_response({}))

    await make_session(transport, StaticToken(SecretText(""))).call(REQUEST)

    assert transport.requests[0].bearer is None
