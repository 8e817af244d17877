"""How long sign-ins last, ending them from elsewhere, and the sockets that end with them (rule 10)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import Channel
from api.domain.ids import NodeKind, global_id
from api.domain.sign_ins import Lifetime, Lifetimes, sign_in_data
from api.jobs.open_sockets import OpenSockets
from api.settings import SettingsError, load_settings
from tests.factories import Holder, begin_again, holder
from tests.flows.conftest import Service
from tests.flows.doors import door, open_socket
from tests.flows.getting_in import EMAIL, ME, PASSWORD, SIGN_IN, SIGN_OUT, codes, customer, sign_in
from tests.flows.own_account import actions

REVOKE = """mutation($id: ID!) { revokeSession(sessionId: $id) {
  account { security { sessions { id current } } } errors { code path } } }"""
WATCH = "subscription { balanceChanged { balance { revision } } }"


async def revoke(service: Service, by: Holder, session_id: str) -> dict[str, object]:
    return (await service.ask(REVOKE, {"id": session_id}, token=by.token))["revokeSession"]


async def is_in(service: Service, token: str) -> bool:
    return (await service.ask(ME, token=token))["me"] is not None


@pytest.mark.row("T6")
@pytest.mark.rule("10")
async def test_a_sign_in_can_be_ended_from_another_one(service: Service) -> None:
    here = await holder(service)
    there = await begin_again(here)

    payload = await revoke(service, here, global_id(NodeKind.SIGN_IN, there.sign_in_id))
    again = await revoke(service, here, global_id(NodeKind.SIGN_IN, there.sign_in_id))

    own = {"id": global_id(NodeKind.SIGN_IN, here.sign_in_id), "current": True}
    assert payload == again == {"account": {"security": {"sessions": [own]}}, "errors": []}
    assert (await is_in(service, here.token), await is_in(service, there.token)) == (True, False)
    assert (await actions(service, here.token)).count("sign_in_revoked") == 1


@pytest.mark.row("T6", "T15")
@pytest.mark.rule("10")
async def test_somebody_elses_sign_in_is_answered_like_one_that_does_not_exist(service: Service) -> None:
    mine, other = await holder(service), await holder(service, "bob@mail.test")
    ids = (
        global_id(NodeKind.SIGN_IN, other.sign_in_id),
        global_id(NodeKind.SIGN_IN, uuid4()),
        global_id(NodeKind.ACCOUNT, mine.account_id),
        "no id",
    )

    answers = [await revoke(service, mine, key) for key in ids]

    assert answers == [{"account": None, "errors": [{"code": "NOT_FOUND", "path": ["sessionId"]}]}] * 4
    assert await is_in(service, other.token)


@pytest.mark.row("T2", "T6")
@pytest.mark.rule("10")
async def test_ending_a_sign_in_closes_its_sockets_and_no_others(service: Service) -> None:
    here = await holder(service)
    there = await begin_again(here)
    app = door(service)

    async with open_socket(app, token=here.token) as ours, open_socket(app, token=there.token) as theirs:
        await ours.next()
        await theirs.next()
        theirs.send(type="subscribe", id="1", payload={"query": WATCH})
        await revoke(service, here, global_id(NodeKind.SIGN_IN, there.sign_in_id))

        assert await theirs.closing_code() == 4403
        assert (await ours.ask(ME))["payload"]["data"]["me"] is not None
        assert not ours.closed.done()
    assert service.ports.live.sign_ins() == set()
    assert service.ports.live.watcher_count == 0


@pytest.mark.row("T2")
@pytest.mark.rule("10")
async def test_signing_out_by_a_socket_is_answered_before_the_socket_closes(service: Service) -> None:
    mine = await holder(service)

    async with open_socket(door(service), token=mine.token) as socket:
        await socket.next()
        answered = await socket.ask(SIGN_OUT)

        assert answered["payload"]["data"]["signOut"]["accepted"] is True
        assert await socket.closing_code() == 4403


@pytest.mark.row("T2", "T6")
@pytest.mark.rule("10")
async def test_signing_out_everywhere_closes_every_socket_of_the_account(service: Service) -> None:
    here, other = await holder(service), await holder(service, "bob@mail.test")
    there = await begin_again(here)
    app = door(service)

    async with (
        open_socket(app, token=here.token) as first,
        open_socket(app, token=there.token) as second,
        open_socket(app, token=other.token) as third,
    ):
        for socket in (first, second, third):
            await socket.next()
        await service.ask(SIGN_OUT, {"everywhere": True}, token=here.token)

        assert (await first.closing_code(), await second.closing_code()) == (4403, 4403)
        assert (await third.ask(ME))["payload"]["data"]["me"] is not None


@pytest.mark.rule("10")
async def test_a_socket_whose_end_was_not_told_may_not_go_on_and_is_found(service: Service) -> None:
    mine = await holder(service)
    sockets = OpenSockets(service.ports)

    async with open_socket(door(service), token=mine.token) as socket:
        await socket.next()
        await sockets.look()
        await execute("update sign_ins set ended_at = $1", service.ports.now())

        assert (await socket.ask(ME))["payload"]["data"] == {"me": None}
        await sockets.look(at_all=True)
        assert await socket.closing_code() == 4403


@pytest.mark.rule("10")
async def test_after_a_gap_in_the_broadcast_every_open_socket_is_looked_at(service: Service) -> None:
    mine = await holder(service)
    sockets = OpenSockets(service.ports)

    async with open_socket(door(service), token=mine.token) as socket:
        await socket.next()
        await sockets.look()
        await execute("update sign_ins set ended_at = $1", service.ports.now())
        service.ports.live.gaps += 1
        await sockets.look()

        assert await socket.closing_code() == 4403


@pytest.mark.rule("10")
async def test_a_sign_in_that_ended_before_its_socket_was_known_is_found_at_the_next_look(service: Service) -> None:
    mine = await holder(service)

    async with open_socket(door(service), token=mine.token) as socket:
        await socket.next()
        await execute("update sign_ins set ended_at = $1", service.ports.now())
        await OpenSockets(service.ports).look()

        assert await socket.closing_code() == 4403


@pytest.mark.row("T4")
@pytest.mark.rule("10")
@pytest.mark.parametrize("column, value", [("status", "LOCKED"), ("status", "CLOSING"), ("status", "DELETED")])
async def test_an_account_that_is_closed_has_no_tokens_and_no_sockets(
    service: Service, column: str, value: str
) -> None:
    mine = await holder(service)

    async with open_socket(door(service), token=mine.token) as socket:
        await socket.next()
        await execute(f"update accounts set {column} = $1", value)
        await OpenSockets(service.ports).look()

        assert await socket.closing_code() == 4403
    assert not await is_in(service, mine.token)


@pytest.mark.row("T5")
@pytest.mark.rule("10")
@pytest.mark.parametrize(
    "channel, idle, absolute",
    [
        (Channel.WEB, timedelta(days=1), timedelta(days=14)),
        (Channel.IOS, timedelta(days=30), timedelta(days=180)),
        (Channel.ANDROID, timedelta(days=30), timedelta(days=180)),
    ],
)
async def test_a_sign_in_ends_when_it_is_left_alone_and_at_last_although_it_is_used(
    service: Service, channel: Channel, idle: timedelta, absolute: timedelta
) -> None:
    mine = await holder(service)
    bearer = Bearer(mine.account_id, False, "", channel, False)
    left, _ = await begin_sign_in(service.ports, bearer)
    used, _ = await begin_sign_in(service.ports, bearer)
    step = idle - timedelta(minutes=6)
    steps = absolute // step

    app = door(service)
    async with open_socket(app, token=left) as idle_socket, open_socket(app, token=used) as busy_socket:
        await idle_socket.next()
        await busy_socket.next()
        sockets = OpenSockets(service.ports)
        await sockets.look()
        for _ in range(steps):
            await service.advance(step)
            assert await is_in(service, used)
        assert not await is_in(service, left)
        await sockets.look()
        assert await idle_socket.closing_code() == 4403
        assert not busy_socket.closed.done()

        await service.advance(absolute - steps * step)
        assert not await is_in(service, used)
        await sockets.look()
        assert await busy_socket.closing_code() == 4403


@pytest.mark.row("T5")
@pytest.mark.rule("10")
async def test_a_stream_ends_when_its_sign_in_runs_out(service: Service) -> None:
    mine = await holder(service)
    await mine.advance_connect()

    async with service.watch(WATCH, token=mine.token) as stream:
        await stream.next()
        await service.advance(timedelta(days=1, seconds=1))
        await OpenSockets(service.ports).look()

        assert await stream.ends()


@pytest.mark.row("T17")
@pytest.mark.rule("10")
async def test_past_the_most_open_sign_ins_the_one_used_longest_ago_ends(service: Service) -> None:
    oldest = await customer(service)
    account_id = read_uuid((await _only("select account_id from sign_ins"))["account_id"])
    tokens = []
    for _ in range(sign_in_data().open_max - 1):
        await service.advance(timedelta(seconds=1))
        tokens.append((await begin_sign_in(service.ports, Bearer(account_id, False, "", Channel.WEB, False)))[0])
    assert await is_in(service, oldest)
    await service.advance(timedelta(minutes=10))
    # Used again, it is no longer the one that was used longest ago.
    assert await is_in(service, oldest)

    newest = (await sign_in(service))["token"]

    assert [await is_in(service, token) for token in (tokens[0], tokens[1], oldest, newest)] == [
        False, True, True, True,
    ]  # fmt: skip
    (kept,) = await fetch("select count(*) as n from sign_ins where ended_at is null")
    assert kept["n"] == sign_in_data().open_max


@pytest.mark.row("T9", "T12")
@pytest.mark.rule("10")
@pytest.mark.parametrize("token", ["nobody", "x" * 5000, "a.b.c"])
async def test_a_socket_with_a_token_of_nobody_is_refused(service: Service, token: str) -> None:
    async with open_socket(door(service), token=token) as socket:
        assert await socket.closing_code() == 4403


@pytest.mark.row("T10")
@pytest.mark.rule("10")
@pytest.mark.parametrize("position", [0, 20, -1])
async def test_a_token_with_one_letter_changed_is_nobodys(service: Service, position: int) -> None:
    token = (await holder(service)).token
    letters = list(token)
    letters[position] = "A" if letters[position] != "A" else "B"

    assert not await is_in(service, "".join(letters))


@pytest.mark.row("L12")
async def test_an_old_token_at_signing_in_is_neither_adopted_nor_ended(service: Service) -> None:
    old = await customer(service)
    credentials = {"input": {"email": EMAIL, "password": PASSWORD}}

    payload = (await service.ask(SIGN_IN, credentials, token=old))["signIn"]

    assert codes(payload) == []
    assert payload["token"] != old
    assert await is_in(service, old)


@pytest.mark.row("L13")
@pytest.mark.parametrize("password", ["' or 1=1 --", '{"$ne": null}', "{ me { id } }", "%", "\\u0000"])
async def test_what_means_something_elsewhere_is_just_a_wrong_password(service: Service, password: str) -> None:
    await customer(service)

    assert codes(await sign_in(service, password=password)) == ["INVALID_CREDENTIALS"]


@pytest.mark.row("L13")
@pytest.mark.parametrize("password", [None, 7, True, ["a"], {"a": "b"}])
async def test_what_is_no_text_is_refused_before_anything_is_looked_at(service: Service, password: object) -> None:
    result = await service.run(SIGN_IN, {"input": {"email": EMAIL, "password": password}})

    assert result.data is None
    assert [error.extensions and error.extensions["code"] for error in result.errors or ()] == ["BAD_REQUEST"]


def test_when_a_sign_in_was_used_is_noted_as_exactly_as_its_lifetime_asks_for() -> None:
    lifetimes = Lifetimes()

    assert lifetimes.staff.seen_every == timedelta(minutes=3)
    assert lifetimes.apps.seen_every == lifetimes.browsers.seen_every == timedelta(minutes=5)


def test_a_deployment_chooses_how_long_sign_ins_last() -> None:
    chosen = load_settings(
        sandbox="on", secret_key="k" * 32, sign_in_staff_idle="PT10M", sign_in_app_absolute="P90D"
    ).lifetimes

    assert chosen.staff == Lifetime(timedelta(minutes=10), timedelta(hours=12))
    assert chosen.apps == Lifetime(timedelta(days=30), timedelta(days=90))


@pytest.mark.parametrize("setting", [{"sign_in_browser_idle": "P15D"}, {"sign_in_browser_idle": "PT0S"}])
def test_a_lifetime_that_makes_no_sense_stops_the_start(setting: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="SIGN_IN_BROWSER_IDLE"):
        load_settings(sandbox="on", secret_key="k" * 32, **setting)


async def _only(query: str) -> dict[str, UUID]:
    row = await fetch_one(query)
    assert row is not None
    return dict(row)
