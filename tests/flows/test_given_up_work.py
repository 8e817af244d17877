"""Due work that was given up: it stays on the list for a person, until there is a new reason to do it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.adapters.database import execute, fetch, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of, first_of_next_month, start_of
from api.services import charges, due_work, inactivity_plans, month_ends
from api.services.ledger import LOW_BALANCE
from tests import factories
from tests.flows.conftest import Service
from tests.flows.direct_bill import next_month
from tests.flows.money import BY_KEY, balance, pay
from tests.flows.money_back import go_to
from tests.flows.top_ups import SET_ALERT, scene

FAR = timedelta(days=400)


async def give_up(service: Service, kind: str) -> due_work.Claim:
    """Have the one piece of work of a kind fail for good; return the claim that failed."""
    claim = await due_work.claim_next(service.ports, (kind,), service.ports.now() + FAR)
    assert claim is not None
    await due_work.give_back(service.ports, claim, "a fault of ours", retry_at=None)
    assert await due_work.claim_next(service.ports, (kind,), service.ports.now() + FAR) is None
    return claim


@transactional
async def enqueue(ports: Ports, kind: str, **payload: Any) -> None:
    await due_work.enqueue(kind, "one", ports.now(), payload)


async def test_new_work_of_a_key_begins_anew_and_a_late_claim_of_the_old_is_fenced(service: Service) -> None:
    await enqueue(service.ports, "kind", number=1)
    old = await give_up(service, "kind")

    await enqueue(service.ports, "kind", number=2)

    claim = await due_work.claim_next(service.ports, ("kind",), service.ports.now())
    assert claim is not None
    assert (claim.payload, claim.failures, claim.attempt) == ({"number": 2}, 0, old.attempt + 1)
    (row,) = await fetch("select failed_at, last_error from due_work")
    assert (row["failed_at"], row["last_error"]) == (None, None)


async def test_work_that_waits_or_is_being_done_is_left_as_it_is(service: Service) -> None:
    await enqueue(service.ports, "kind", number=1)
    claim = await due_work.claim_next(service.ports, ("kind",), service.ports.now())
    (before,) = await fetch("select * from due_work")

    await enqueue(service.ports, "kind", number=2)

    (after,) = await fetch("select * from due_work")
    assert dict(before) == dict(after)
    assert claim is not None
    assert claim.payload == {"number": 1}


async def test_a_low_balance_is_looked_at_again_after_the_next_call(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.ask(SET_ALERT, id=ann.opened.id, threshold="10.00")
    await ann.call(10, works=False)
    await give_up(service, LOW_BALANCE)
    assert await ann.subjects() == []

    await ann.call(1)

    assert await ann.subjects() == ["Your balance is low: $9.40"]


async def test_a_service_that_nobody_uses_is_looked_at_again_each_month(service: Service) -> None:
    ann = await factories.holder(service)
    await execute("update accounts set state = 'NM' where id = $1", ann.account_id)
    await ann.advance_connect()
    await give_up(service, inactivity_plans.WORK_KIND)
    opened_on = day_of(service.ports.now())

    await next_month(service)
    await go_to(service, opened_on + timedelta(days=150))

    (work,) = await fetch("select failed_at from due_work where kind = $1", inactivity_plans.WORK_KIND)
    assert work["failed_at"] is None
    assert any("will close" in mail.subject for mail in await service.mails(ann.email))


async def test_a_payment_that_was_given_up_is_asked_for_when_its_holder_comes_back(service: Service) -> None:
    ann = await factories.holder(service)
    await pay(service, ann, await ann.quote(await ann.advance_connect()), await ann.card("tok_3ds"))
    await give_up(service, charges.WORK_KIND)
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, True)

    await service.ask(BY_KEY, {"key": "key"}, token=ann.token)
    await service.work()

    assert (await balance(service, ann))["posted"] == "25.00"


async def test_a_months_end_that_was_given_up_is_taken_up_as_a_process_starts(service: Service) -> None:
    await (await factories.holder(service)).advance_connect()
    await month_ends.expect_month_end(service.ports)
    first = start_of(first_of_next_month(day_of(service.ports.now())))
    await service.advance(first + timedelta(minutes=1) - service.ports.now())
    await give_up(service, month_ends.ALL_KIND)

    await month_ends.expect_month_end(service.ports)
    await service.work()

    assert len(await fetch("select id from statements")) == 1
    (waiting,) = await fetch("select key from due_work where kind = $1", month_ends.ALL_KIND)
    assert waiting["key"] == f"{day_of(service.ports.now())}:"
