"""Unsubscribing: a reason, a warning, a last click, and a way back from everywhere (rules 29 and 30)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.adapters.database import execute, fetch
from api.domain.cancellation_data import cancellation_data
from api.domain.cancellations import (
    ABANDONED,
    BEGUN,
    CANCELLATION_MOVES,
    CancellationAction,
    CancellationOutcome,
    CancellationStep,
    State,
    allowed_actions,
)
from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows import closing
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count
from tests.flows.unsubscribing import (
    CANCEL,
    CANCELLATION,
    CHOOSE,
    REASON,
    RESUME,
    UNSUBSCRIBE,
    act,
    begin,
    cancel,
    do,
    mine,
    subscribed,
)

pytestmark = pytest.mark.rule("29")
A, Ends, S = CancellationAction, CancellationOutcome, CancellationStep
DAY = timedelta(hours=24)
NODE = f"query($id: ID!) {{ node(id: $id) {{ ... on Cancellation {{ {CANCELLATION} }} }} }}"
CHANGED = "subscription { subscriptionChanged { subscription { status renewsAt cancellation { outcome } } } }"
PATHS: dict[State, tuple[str, ...]] = {
    BEGUN: (),
    (S.CONFIRM, None): CANCEL[:1],
    (S.FINAL_WARNING, None): CANCEL[:2],
    (S.DONE, Ends.CANCELLED): CANCEL,
    (S.DONE, Ends.STAYED): ("stayEnrolled",),
    ABANDONED: CANCEL[:1],
}
"""What leads to each state; what is abandoned is left alone besides."""


def shown(answer: dict[str, Any]) -> tuple[str, list[str]] | None:
    """Return what a client that knows nothing but the last answer shows, and what its main button does; None when the
    flow is over. It does not look at `step`."""
    found = answer["cancellation"]
    if found["outcome"]:
        return None
    assert found["canStay"]
    if found["warning"]:
        return "completeCancellation", [found["warning"]["text"], found["warning"]["noRefund"]]
    if found["canUnsubscribe"]:
        return "confirmUnsubscribe", [found["chosenReason"]["label"]]
    return "chooseCancellationReason", [reason["label"] for reason in found["reasons"]]


async def walk(service: Service, holder: Holder, subscription_id: str, screens_max: int = 9) -> list[list[str]]:
    """Go on from each answer by what it offers until it is over; at the last screen stay enrolled. Return what the
    screens showed."""
    screens: list[list[str]] = []
    answer = await do(service, holder.token, UNSUBSCRIBE, id=subscription_id)
    while (screen := shown(answer)) is not None:
        action, texts = screen
        screens.append(texts)
        reasons, flow_id = answer["cancellation"]["reasons"], answer["cancellation"]["id"]
        more = {"reason": reasons[-1]["code"]} if action == "chooseCancellationReason" else {}
        if len(screens) == screens_max:
            action = "stayEnrolled"
        answer = await act(service, holder.token, action, flow_id, **more)
        assert answer["errors"] == []
    return screens


async def leave_alone(service: Service, holder: Holder) -> Holder:
    """Let a day pass, which no sign-in outlasts unused; return the holder, signed in anew."""
    await service.advance(DAY)
    return await factories.begin_again(holder)


def state_in(found: dict[str, Any]) -> State:
    return CancellationStep(found["step"]), CancellationOutcome(found["outcome"]) if found["outcome"] else None


@pytest.mark.rule("37")
@pytest.mark.parametrize("locale", ["en", "es"])
async def test_the_screens_are_built_from_the_answers_alone_in_both_languages(service: Service, locale: str) -> None:
    ann = await factories.holder(service, locale=locale)
    one = await subscribed(service, ann)
    (before,) = await mine(service, ann)
    ends = datetime.fromisoformat(before["currentPeriodEnd"])

    reasons, chosen, warned = await walk(service, ann, one)

    word = {"en": "Another reason", "es": "Otro motivo"}[locale]
    assert (len(reasons), reasons[-1], chosen) == (len(cancellation_data().offered), word, [word])
    assert {"en": "about to unsubscribe", "es": "a punto de cancelar"}[locale] in warned[0]
    assert {"en": "Visits", "es": "Visitas"}[locale] in warned[0]
    assert "Mesa Jail" in warned[0]
    assert {"en": "not refunded", "es": "No se reembolsan"}[locale] in warned[1]
    (after,) = await mine(service, ann)
    assert (after["status"], after["renewsAt"]) == ("CANCEL_SCHEDULED", None)
    assert datetime.fromisoformat(after["accessUntil"]) == ends


@pytest.mark.parametrize("screens", [1, 2, 3])
async def test_one_can_stay_enrolled_from_every_screen_and_nothing_has_changed(service: Service, screens: int) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    (before,) = await mine(service, ann)

    await walk(service, ann, one, screens_max=screens)

    (after,) = await mine(service, ann)
    assert after["cancellation"]["outcome"] == "STAYED"
    assert {**after, "cancellation": None} == before
    assert await walk(service, ann, one)  # It can be begun anew.


async def test_each_action_at_each_state_does_as_the_domains_table_says(service: Service) -> None:
    ann = await factories.holder(service)
    # Refusals of a flow that is over tell what can be done about the plan.
    beyond = {Ends.CANCELLED: ["resumeSubscription"], Ends.STAYED: ["unsubscribe"], Ends.ABANDONED: ["unsubscribe"]}
    wrong = {}

    for state, moves in CANCELLATION_MOVES.items():
        for action in A:
            flow_id = await begin(service, ann, await subscribed(service, ann), *PATHS[state])
            if state == ABANDONED:
                ann = await leave_alone(service, ann)
            payload = await act(service, ann.token, action.value, flow_id)
            now = (await service.ask(NODE, {"id": flow_id}, token=ann.token))["node"]
            if action in moves:
                right = payload["errors"] == [] and payload["cancellation"] == now and state_in(now) == moves[action]
            else:
                (error,) = payload["errors"]
                allowed = [allowed.value for allowed in allowed_actions(state)] or (
                    beyond[state[1]] if state[1] else []
                )
                told = (error["__typename"], error["currentState"], error["allowedActions"], error["path"])
                right = told == ("InvalidStateError", state[0].value, allowed, ["cancellationId"])
                right = right and payload["cancellation"] is None and state_in(now) == state
            if not right:
                wrong[state, action] = payload

    assert wrong == {}


async def test_the_button_pressed_again_gives_the_open_flow_as_it_stands(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    flow_id = await begin(service, ann, one, *CANCEL[:2])

    again = await do(service, ann.token, UNSUBSCRIBE, id=one)

    assert (again["cancellation"]["id"], again["cancellation"]["step"]) == (flow_id, "FINAL_WARNING")
    assert await count("cancellations") == 1


async def test_the_last_reason_counts_with_its_comment(service: Service) -> None:
    ann = await factories.holder(service)
    flow_id = await begin(service, ann, await subscribed(service, ann))

    await act(service, ann.token, CANCEL[0], flow_id, comment="  It   rose\u00a0again ")
    (first,) = await fetch("select reason, comment from cancellations")
    payload = await act(service, ann.token, CANCEL[0], flow_id, reason="moved")

    assert (first["reason"], first["comment"]) == (REASON, "It rose again")
    assert payload["cancellation"]["chosenReason"]["code"] == "moved"
    (kept,) = await fetch("select reason, comment from cancellations")
    assert (kept["reason"], kept["comment"]) == ("moved", None)


@pytest.mark.parametrize(
    "reason, comment, wrong",
    [
        ("no such", None, [("INVALID", ["reasonCode"])]),
        ("", "x" * 501, [("INVALID", ["reasonCode"]), ("TOO_LONG", ["comment"])]),
        (REASON, "x" * 100_000, [("TOO_LONG", ["comment"])]),
        (REASON, "a\0b", [("INVALID", ["comment"])]),
        (REASON, "a\u202eb", [("INVALID", ["comment"])]),
    ],
)
async def test_a_reason_that_is_not_offered_and_a_comment_that_cannot_be_are_refused(
    service: Service, reason: str, comment: str | None, wrong: list[tuple[str, list[str]]]
) -> None:
    ann = await factories.holder(service)
    flow_id = await begin(service, ann, await subscribed(service, ann))

    payload = await do(service, ann.token, CHOOSE, id=flow_id, reason=reason, comment=comment)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == wrong
    assert (await mine(service, ann))[0]["cancellation"]["canUnsubscribe"] is False


async def test_a_flow_left_alone_for_a_day_is_abandoned_at_once_and_written_so_later(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    flow_id = await begin(service, ann, one, *CANCEL[:2])
    await service.advance(DAY - timedelta(minutes=1))
    assert (await act(service, ann.token, "confirmUnsubscribe", flow_id))["errors"] == []
    await service.work()
    ann = await leave_alone(service, ann)

    (read,) = await mine(service, ann)
    (error,) = (await act(service, ann.token, "completeCancellation", flow_id))["errors"]
    (unwritten,) = await fetch("select outcome from cancellations")
    await service.work()
    (written,) = await fetch("select outcome, changed_at, ended_at, open_for from cancellations")

    assert (read["status"], read["cancellation"]["outcome"], read["cancellation"]["canStay"]) == (
        "ACTIVE", "ABANDONED", False,
    )  # fmt: skip
    assert (error["currentState"], error["allowedActions"]) == ("DONE", ["unsubscribe"])
    assert (unwritten["outcome"], written["outcome"], written["open_for"]) == (None, "ABANDONED", None)
    times = [value if isinstance(value, datetime) else datetime.fromisoformat(value)
             for value in (written["changed_at"], written["ended_at"])]  # fmt: skip
    assert times[1] - times[0] == DAY
    assert await begin(service, ann, one) != flow_id


async def test_a_flow_that_was_left_is_begun_anew_before_anybody_wrote_it_down(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    left = await begin(service, ann, one)
    ann = await leave_alone(service, ann)

    anew = await begin(service, ann, one)
    await service.work()

    assert anew != left
    found = await fetch("select outcome from cancellations order by id")
    assert [row["outcome"] for row in found] == ["ABANDONED", None]


async def test_two_clients_at_once_on_one_flow_take_each_step_once(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)

    begun = await asyncio.gather(*(do(service, ann.token, UNSUBSCRIBE, id=one) for _ in range(4)))
    (flow_id,) = {payload["cancellation"]["id"] for payload in begun}
    await act(service, ann.token, CANCEL[0], flow_id)
    await act(service, ann.token, CANCEL[1], flow_id)
    ends = await asyncio.gather(
        *(act(service, ann.token, name, flow_id) for name in ("completeCancellation", "stayEnrolled") * 3)
    )
    await service.work()

    (flow,) = await fetch("select outcome from cancellations")
    done = [payload["cancellation"]["outcome"] for payload in ends if not payload["errors"]]
    assert done == [flow["outcome"]] * 3
    assert {code for payload in ends for code in codes(payload)} == {"INVALID_STATE"}
    cancelled = flow["outcome"] == "CANCELLED"
    assert (await mine(service, ann))[0]["status"] == ("CANCEL_SCHEDULED" if cancelled else "ACTIVE")
    assert len(await service.mails(ann.email)) == cancelled


@pytest.mark.rule("30", "37")
@pytest.mark.parametrize("locale, subject", [("en", "Your plan is cancelled"), ("es", "Su plan está cancelado")])
async def test_the_cancellation_is_confirmed_by_one_mail_with_the_date(
    service: Service, locale: str, subject: str
) -> None:
    ann = await factories.holder(service, locale=locale)
    one = await subscribed(service, ann)
    flow_id = await cancel(service, ann, one)

    again = await act(service, ann.token, "completeCancellation", flow_id)

    (mail,) = await service.mails(ann.email)
    ends = datetime.fromisoformat(again["subscription"]["accessUntil"])
    assert (mail.subject, again["cancellation"]["outcome"]) == (subject, "CANCELLED")
    assert f"{ends.astimezone(ZoneInfo('America/Denver')):%Y-%m-%d %H:%M}" in mail.text
    noted = await service.ask("{ me { activity { edges { node { summary } } } } }", token=ann.token)
    assert "Mesa Jail" in noted["me"]["activity"]["edges"][0]["node"]["summary"]


@pytest.mark.rule("30")
async def test_a_cancellation_is_taken_back_until_the_period_ends_and_not_after(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    (before,) = await mine(service, ann)
    await cancel(service, ann, one)

    resumed = await do(service, ann.token, RESUME, id=one)
    again = await do(service, ann.token, RESUME, id=one)

    assert (resumed["errors"], resumed["subscription"]["status"]) == ([], "ACTIVE")
    assert resumed["subscription"]["renewsAt"] == before["renewsAt"]
    assert again["subscription"] == resumed["subscription"]
    subjects = [mail.subject for mail in await service.mails(ann.email)]
    assert subjects == ["Your plan goes on", "Your plan is cancelled"]

    await cancel(service, ann, one)
    await execute("update plan_subscriptions set access_until = $1", service.ports.now())
    (error,) = (await do(service, ann.token, RESUME, id=one))["errors"]
    assert (error["currentState"], error["allowedActions"], error["path"]) == (
        "ENDED", ["subscribe"], ["subscriptionId"],
    )  # fmt: skip


@pytest.mark.rule("35")
async def test_cancelling_and_taking_it_back_are_told_live(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)

    async with service.watch(CHANGED, token=ann.token) as stream:
        await stream.next()
        await cancel(service, ann, one)
        await do(service, ann.token, RESUME, id=one)
        told = [(await stream.next())["subscriptionChanged"]["subscription"] for _ in range(2)]

    assert [(each["status"], each["cancellation"]["outcome"], each["renewsAt"] is None) for each in told] == [
        ("CANCEL_SCHEDULED", "CANCELLED", True), ("ACTIVE", "CANCELLED", False),
    ]  # fmt: skip


async def test_completing_again_after_it_was_taken_back_cancels_nothing(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    flow_id = await cancel(service, ann, one)
    await do(service, ann.token, RESUME, id=one)

    again = await act(service, ann.token, "completeCancellation", flow_id)

    assert (again["errors"], again["subscription"]["status"]) == ([], "ACTIVE")


async def test_a_plan_that_is_past_due_ends_at_once(service: Service) -> None:
    ann = await factories.holder(service)
    one, now = await subscribed(service, ann), service.ports.now()
    await execute(
        "update plan_subscriptions set status = 'PAST_DUE', period_start = $1, period_end = $2, access_until = $2",
        now - timedelta(days=31), now - timedelta(days=1),
    )  # fmt: skip
    flow_id = await begin(service, ann, one, *CANCEL[:2])

    asked = (await service.ask(NODE, {"id": flow_id}, token=ann.token))["node"]
    done = await act(service, ann.token, "completeCancellation", flow_id)
    (error,) = (await do(service, ann.token, UNSUBSCRIBE, id=one))["errors"]

    assert "ends as soon as you complete" in asked["warning"]["text"]
    assert (done["errors"], done["subscription"]["status"], done["subscription"]["renewsAt"]) == ([], "ENDED", None)
    assert done["cancellation"]["outcome"] == "CANCELLED"
    assert (error["currentState"], error["allowedActions"]) == ("ENDED", ["subscribe"])
    (mail,) = await service.mails(ann.email)
    assert "ended now" in mail.text


async def test_a_cancelled_plan_cannot_be_unsubscribed_from_but_resumed(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    await cancel(service, ann, one)

    (error,) = (await do(service, ann.token, UNSUBSCRIBE, id=one))["errors"]

    assert (error["currentState"], error["allowedActions"]) == ("CANCEL_SCHEDULED", ["resumeSubscription"])


@pytest.mark.rule("21", "27a")
async def test_deleting_the_account_ends_the_plan_and_its_flow_and_forgets_the_comment(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    flow_id = await begin(service, ann, one)
    await act(service, ann.token, CANCEL[0], flow_id, comment="Ann moves to 12 Elm Street")

    await closing.delete(service, ann)
    (ended,) = await fetch("select outcome, open_for, comment from cancellations")
    (plan,) = await fetch("select status from plan_subscriptions")
    await closing.pass_time(service, timedelta(days=2))

    assert (ended["outcome"], ended["open_for"], plan["status"]) == ("ABANDONED", None, "CANCELLED_BY_CLOSURE")
    (left,) = await fetch("select reason, comment from cancellations")
    assert (ended["comment"], left["comment"], left["reason"]) == ("Ann moves to 12 Elm Street", None, REASON)


async def test_a_plan_that_ended_while_a_flow_is_open_leaves_nothing_to_go_on_with(service: Service) -> None:
    ann = await factories.holder(service)
    one = await subscribed(service, ann)
    flow_id = await begin(service, ann, one, *CANCEL[:2])
    await execute("update plan_subscriptions set status = 'ENDED', renews_at = null")

    (error,) = (await act(service, ann.token, "completeCancellation", flow_id))["errors"]

    assert (error["currentState"], error["allowedActions"]) == ("DONE", ["subscribe"])
    assert (await mine(service, ann))[0]["cancellation"]["outcome"] == "ABANDONED"


@pytest.mark.rule("35")
async def test_nobody_else_sees_or_moves_a_flow(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    one = await subscribed(service, ann)
    flow_id = await begin(service, ann, one)
    nobodys = global_id(NodeKind.CANCELLATION, ann.account_id)

    tried = [
        await act(service, ben.token, name, key) for name in (*CANCEL, "stayEnrolled") for key in (flow_id, nobodys)
    ]
    tried += [await do(service, ben.token, document, id=one) for document in (UNSUBSCRIBE, RESUME)]

    assert {code for payload in tried for code in codes(payload)} == {"NOT_FOUND"}
    assert (await service.ask(NODE, {"id": flow_id}, token=ben.token))["node"] is None
    assert (await mine(service, ann))[0]["cancellation"]["step"] == "CHOOSE_REASON"


async def test_each_plan_shows_its_newest_flow(service: Service) -> None:
    ann = await factories.holder(service)
    ids = [await subscribed(service, ann) for _ in range(3)]
    await begin(service, ann, ids[1], "stayEnrolled")
    newest = await begin(service, ann, ids[1])

    found = {each["id"]: each["cancellation"] for each in await mine(service, ann)}

    assert [found[key] and found[key]["id"] for key in ids] == [None, newest, None]
