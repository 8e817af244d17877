"""Subscribing: a plan's first month is paid once, with a consent, and one plan per facility and product (rule 28)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.adapters.database import execute, fetch
from api.domain.agreements import AgreementKind, agreement
from api.domain.plans import months_after
from api.domain.service_accounts import Product
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import BY_KEY, count, pay
from tests.flows.paying import Place, fee, opened, place, plan, quote_for, subscribe
from tests.flows.test_payments import HeldUp

pytestmark = pytest.mark.rule("28")
MINE = "{ me { subscriptions { id status plan { name } } } }"


async def quoted_plan(service: Service, holder: Holder, plan_id: str) -> str:
    payload = await quote_for(service, holder, "SUBSCRIPTION", planId=plan_id)
    assert payload["errors"] == [], payload
    quote_id: str = payload["quote"]["id"]
    return quote_id


async def ready(service: Service, token: str = "tok_visa") -> tuple[Holder, Place, str, str]:
    """Return a holder, a facility, the quote of a plan there, and a card."""
    ann, where = await factories.holder(service), await place()
    return ann, where, await quoted_plan(service, ann, await plan(where)), await ann.card(token)


async def test_a_month_begins_once_it_is_paid(service: Service) -> None:
    ann, _, quoted, card = await ready(service)

    payload = await subscribe(service, ann, quoted, card)

    assert payload["errors"] == []
    found = payload["subscription"]
    assert (payload["payment"]["status"], payload["payment"]["purpose"]) == ("SUCCEEDED", "SUBSCRIPTION")
    assert (found["status"], found["price"], found["paymentMethod"]) == (
        "ACTIVE",
        {"amount": "29.99"},
        {"last4": "4242"},
    )
    starts, ends = (datetime.fromisoformat(found[name]) for name in ("currentPeriodStart", "currentPeriodEnd"))
    assert abs(starts - service.ports.now()) < timedelta(minutes=1)
    assert ends == months_after(starts, 1, "America/Denver")
    assert found["renewsAt"] == found["accessUntil"] == found["currentPeriodEnd"]
    assert (await audit()).differences == ()


async def test_the_price_renewed_is_the_plans_without_the_fees_of_today(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    await fee("SUBSCRIPTION", fixed=100)
    quoted = await quoted_plan(service, ann, await plan(where, 1_000))

    payload = await subscribe(service, ann, quoted, await ann.card())

    assert payload["payment"]["total"] == {"amount": "11.00"}
    assert payload["subscription"]["price"] == {"amount": "10.00"}


async def test_a_plan_of_calls_begins_with_all_its_calls(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    quoted = await quoted_plan(service, ann, await plan(where, 1_500, Product.ADVANCE_CONNECT, 40))

    payload = await subscribe(service, ann, quoted, await ann.card())

    assert payload["subscription"]["includedCallsLeft"] == 40


@pytest.mark.rule("18")
async def test_a_repeat_gives_the_same_payment_and_subscription(service: Service) -> None:
    ann, _, quoted, card = await ready(service)

    answers = await asyncio.gather(*(subscribe(service, ann, quoted, card) for _ in range(5)))
    later = await subscribe(service, ann, quoted, card)

    assert [answer["replayed"] for answer in answers].count(False) == 1
    assert later["replayed"] is True
    assert {answer["payment"]["id"] for answer in (*answers, later)} == {later["payment"]["id"]}
    assert later["subscription"]["status"] == "ACTIVE"
    assert await service.processor.captured_cents() == 2_999
    assert await count("plan_subscriptions") == await count("consents") == 1
    by_key = await service.ask(BY_KEY, {"key": "key"}, token=ann.token)
    assert by_key["paymentByIdempotencyKey"]["id"] == later["payment"]["id"]


async def test_of_two_plans_of_one_facility_and_product_at_once_one_is_charged(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    quotes = [await quoted_plan(service, ann, await plan(where, cents)) for cents in (1_000, 2_000, 3_000)]
    card = await ann.card()

    answers = await asyncio.gather(*(subscribe(service, ann, quoted, card, quoted) for quoted in quotes))

    assert sorted(map(codes, answers)) == [[], ["INVALID_STATE"], ["INVALID_STATE"]]
    assert len(await service.processor.charges()) == await count("plan_subscriptions") == 1


async def test_another_facility_or_product_takes_a_plan_of_its_own(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    plans = [
        await plan(where),
        await plan(where, product=Product.ADVANCE_CONNECT, included_calls=10),
        await plan(await place("Other")),
    ]
    card = await ann.card()

    answers = [await subscribe(service, ann, await quoted_plan(service, ann, one), card, one) for one in plans]
    again = await quote_for(service, ann, "SUBSCRIPTION", planId=plans[0])

    assert list(map(codes, answers)) == [[], [], []]
    assert codes(again) == ["INVALID_STATE"]


async def test_a_plan_that_has_ended_can_be_taken_again(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    month, card = await plan(where), await ann.card()
    await subscribe(service, ann, await quoted_plan(service, ann, month), card)
    await execute("update plan_subscriptions set status = 'ENDED', live_key = null, renews_at = null")

    again = await subscribe(service, ann, await quoted_plan(service, ann, month), card, "again")

    assert codes(again) == []
    assert await count("plan_subscriptions") == 2


@pytest.mark.parametrize(
    "changes, wrong",
    [
        ({"acceptRenewal": False}, [["input", "acceptRenewal"]]),
        ({"agreementVersion": "2020-01"}, [["input", "agreementVersion"]]),
        (
            {"acceptRenewal": False, "agreementVersion": "\0"},
            [["input", "acceptRenewal"], ["input", "agreementVersion"]],
        ),
    ],
)
async def test_without_the_consent_nothing_is_charged(
    service: Service, changes: dict[str, Any], wrong: list[list[str]]
) -> None:
    ann, _, quoted, card = await ready(service)

    payload = await subscribe(service, ann, quoted, card, **changes)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("CONSENT_REQUIRED", path) for path in wrong
    ]
    assert await service.processor.charges() == []
    assert await count("consents") == await count("idempotency_keys") == 0
    assert codes(await subscribe(service, ann, quoted, card)) == []


@pytest.mark.rule("37")
@pytest.mark.parametrize("locale", ["en", "es"])
async def test_the_text_that_is_agreed_to_is_shown_and_kept(service: Service, locale: str) -> None:
    ann = await factories.holder(service, locale=locale)
    quoted, card = await quoted_plan(service, ann, await plan(await place())), await ann.card()
    shown = await service.ask("{ agreement(kind: RENEWAL) { kind version text } }", token=ann.token)

    await subscribe(service, ann, quoted, card)

    version, text = agreement(AgreementKind.RENEWAL, locale)
    assert shown["agreement"] == {"kind": "RENEWAL", "version": version, "text": text}
    (kept,) = await fetch("select kind, version, locale from consents")
    assert (kept["kind"], kept["version"], kept["locale"]) == ("RENEWAL", version, locale)


async def test_nothing_begins_while_the_bank_asks_and_it_begins_when_that_is_passed(service: Service) -> None:
    ann, where, quoted, card = await ready(service, "tok_3ds")

    waiting = await subscribe(service, ann, quoted, card)
    other = await quote_for(service, ann, "SUBSCRIPTION", planId=await plan(where, 500))
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, True)
    await service.advance(timedelta(minutes=2))
    await service.work()
    done = await subscribe(service, ann, quoted, card)

    assert (waiting["payment"]["status"], waiting["subscription"]) == ("REQUIRES_ACTION", None)
    assert codes(other) == ["INVALID_STATE"]
    assert (done["replayed"], done["payment"]["status"]) == (True, "SUCCEEDED")
    assert done["subscription"]["status"] == "ACTIVE"
    assert len((await service.ask(MINE, token=ann.token))["me"]["subscriptions"]) == 1


async def test_a_decline_begins_nothing_and_another_card_may_follow(service: Service) -> None:
    ann, where, quoted, card = await ready(service, "tok_declined")

    declined = await subscribe(service, ann, quoted, card)
    again = await subscribe(service, ann, await quoted_plan(service, ann, await plan(where)), await ann.card(), "two")

    assert codes(declined) == ["PAYMENT_DECLINED"]
    assert declined["subscription"] is None
    assert codes(again) == []


async def test_what_is_no_plans_quote_is_not_subscribed_to(service: Service) -> None:
    ann = await factories.holder(service)
    quoted, card = await ann.quote(await ann.advance_connect()), await ann.card()

    payload = await subscribe(service, ann, quoted, card)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["input", "quoteId"])]
    assert codes(await pay(service, ann, quoted, card)) == []


async def test_a_month_whose_charge_turns_up_late_is_added_to_the_plan_taken_meanwhile(service: Service) -> None:
    ann, where, quoted, card = await ready(service)
    month = await plan(where)
    processor = service.ports.processor

    class Meanwhile(HeldUp):
        """Lets the holder subscribe anew while the first request stands still."""

        async def charge(self, **order: Any) -> Any:
            await self._service.advance(timedelta(minutes=11))
            await self._service.work()
            service.ports.processor = processor
            await subscribe(service, ann, await quoted_plan(service, ann, month), card, "anew")
            return await processor.charge(**order)

    service.ports.processor = Meanwhile(service)
    late = await subscribe(service, ann, quoted, card)

    assert late["payment"]["status"] == "SUCCEEDED"
    (kept,) = await fetch("select * from plan_subscriptions")
    assert kept["months"] == 2
    shown = await service.ask("{ me { subscriptions { currentPeriodStart currentPeriodEnd } } }", token=ann.token)
    (found,) = shown["me"]["subscriptions"]
    starts, ends = (
        datetime.fromisoformat(found["currentPeriodStart"]),
        datetime.fromisoformat(found["currentPeriodEnd"]),
    )
    assert ends == months_after(starts, 2, "America/Denver")
    assert await service.processor.captured_cents() == 2 * 2_999
    assert (await audit()).differences == ()


async def test_video_connect_shows_its_plans_and_not_those_of_calls(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    await opened(ann, Product.VIDEO_CONNECT)
    card = await ann.card()
    for one in (await plan(where), await plan(where, product=Product.ADVANCE_CONNECT, included_calls=5)):
        await subscribe(service, ann, await quoted_plan(service, ann, one), card, one)

    data = await service.ask(
        "{ me { serviceAccounts { ... on VideoConnectAccount { subscriptions { plan { product } } } } } }",
        token=ann.token,
    )

    assert data["me"]["serviceAccounts"] == [{"subscriptions": [{"plan": {"product": "VIDEO_CONNECT"}}]}]
