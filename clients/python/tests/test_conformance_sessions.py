"""What every server of gwm.v1.Simulator must do about sessions: their ends, leases, lists and limits."""

from __future__ import annotations

from typing import Any

import grpc
import gwm
import pytest
from gwm._generated import simulator_pb2


def test_a_closed_session_says_so(client: gwm.Client) -> None:
    made = client.create_session()
    made.close()
    client.connection.call(
        "simulator",
        "CloseSession",
        simulator_pb2.CloseSessionRequest(session_id=made.session_id),
        idempotent=True,
    )
    with pytest.raises(gwm.PreconditionError) as caught:
        made.reset()
    assert caught.value.reason == "CLOSED"


def test_a_renewal_says_how_long_the_lease_lasts(client: gwm.Client) -> None:
    with client.create_session(idle_ttl_s=40.0) as made:
        assert 30 < made.renew() <= 40


def test_a_trainer_finds_its_sessions_again_under_its_name(client: gwm.Client) -> None:
    with gwm.Client(client.address, client_id="trainer 1") as first:
        made = [first.create_session(num_envs) for num_envs in (1, 2)]
        with gwm.Client(client.address) as stranger:
            assert list(stranger.sessions()) == []
    with gwm.Client(client.address, client_id="trainer 1") as again:
        found = {summary.session_id: summary for summary in again.sessions()}
        assert {key: summary.num_envs for key, summary in found.items()} == {
            session.session_id: session.num_envs for session in made
        }
        assert all(summary.created_s < summary.expires_s for summary in found.values())
        for key in found:
            again.attach_session(key).close()
        assert list(again.sessions()) == []


def test_sessions_are_listed_in_pages_with_a_limit(client: gwm.Client) -> None:
    def page(size: int, token: str, name: str) -> Any:
        context = simulator_pb2.RequestContext(client_id=name)
        request = simulator_pb2.ListSessionsRequest(context=context, page_size=size, page_token=token)
        return client.connection.call("simulator", "ListSessions", request, idempotent=True)

    with client.create_session() as one, client.create_session() as two:
        first = page(1, "", client.client_id)
        second = page(1, first.next_page_token, client.client_id)
        listed = [first.sessions[0].session_id, second.sessions[0].session_id]
        assert listed == sorted([one.session_id, two.session_id])
        for size, name, field in ((0, "", "context.client_id"), (101, "me", "page_size")):
            with pytest.raises(gwm.InvalidRequestError) as caught:
                page(size, "", name)
            assert caught.value.field == field


def test_an_unknown_session_is_not_found(client: gwm.Client) -> None:
    with pytest.raises(gwm.NotFoundError) as caught:
        client.attach_session("there is no such session")
    assert caught.value.reason == "UNKNOWN"


def test_sessions_beyond_the_limit_are_refused_and_room_comes_back(client: gwm.Client) -> None:
    too_many = int(client.limits().max_envs_per_session) + 1
    with pytest.raises(gwm.InvalidRequestError) as caught:
        client.create_session(too_many)
    assert (caught.value.reason, caught.value.field) == ("LIMIT", "num_envs")
    before = client.server_info()
    with client.create_session(2):
        during = client.server_info()
        assert (during.sessions, during.envs) == (before.sessions + 1, before.envs + 2)
    after = client.server_info()
    assert (after.sessions, after.envs) == (before.sessions, before.envs)


def test_a_session_that_nobody_uses_gives_its_slots_back(client: gwm.Client) -> None:
    made = client.create_session(2, idle_ttl_s=1.0)
    made.reset()
    watcher = gwm.RetryPolicy(attempts=100, first_wait_s=0.1, max_wait_s=0.1)

    def look(_: float) -> None:
        if client.server_info().envs > 0:
            raise gwm.UnavailableError("still there", code=grpc.StatusCode.UNAVAILABLE)

    watcher.call(look, 15, idempotent=True)
    with pytest.raises(gwm.NotFoundError) as caught:
        made.status()
    assert caught.value.reason == "EXPIRED"
