"""The audit of the books: silent after any journey, and each kind of difference is found (rule 12)."""

from __future__ import annotations

import pytest
from tortoise.transactions import in_transaction

from api.adapters.database import dialect, execute
from api.domain.service_accounts import Product
from api.models.guards import GUARDS
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import authorize, pay, record
from tests.flows.money_back import held, paid, refunded
from tests.flows.paying import fee, opened, person, place, quote_for, service_id

pytestmark = pytest.mark.rule("12")

PLANTED = {
    "posted is": "update balances set posted = posted + 1",
    "held is": "update balances set held = held - 1",
    "incoming is": "update balances set incoming = incoming + 1",
    "sequence is": "update balances set sequence = sequence - 1",
    "its transactions sum to": "update journal_entries set amount = amount + 1 where kind = 'FUNDING'",
    "balanceAfter is": "update journal_entries set balance_after = balance_after + 1 where sequence = 1",
    "it has no legs": "delete from legs where entry_id = (select id from journal_entries order by id limit 1)",
    "its postings sum to": "update legs set amount = amount + 1",
    "its pending holds sum to": "update holds set amount = amount + 1 where state = 'PENDING' and kind = 'CALL'",
    "its payments under way sum to": "delete from holds where kind = 'PAYMENT' and state = 'PENDING'",
    "but there are": "update journal_entries set sequence = sequence + 100 where sequence = 1",
    "below zero without a chargeback": "update balances set posted = -1, held = 0",
    "its payment is": "update payments set status = 'FAILED' where status = 'SUCCEEDED'",
    "its funding entry is": "update payments set status = 'SUCCEEDED' where status = 'FAILED'",
    "of which": "update payments set total = total + 1 where status = 'SUCCEEDED'",
    "is credited": "update payments set amount = amount - 1, total = total where status = 'SUCCEEDED'",
    "stamps, its legs issue": "update payments set stamps = stamps + 5 where stamps is not null",
    "into that person's funds": "update ledger_accounts set key = 'somebody' where kind = 'DEBIT_FUNDS'",
    "its entry says": "update calls set cost = cost + 1 where cost is not null",
    "in transit or outstanding": "update refunds set status = 'COMPLETED' where status = 'CALCULATED'",
    "was set aside for it": "update refunds set amount = amount + 1 where status = 'HELD'",
    "its parts sum to": "update refund_parts set status = 'REFUSED'",
    "goes back against it": "update refund_parts set amount = 1000000",
    "but its timeline has": "update refunds set revision = revision + 1 where status = 'HELD'",
    "the books hold": "update held_funds set state = 'CLAIMED'",
    "its event number is": "update accounts set event_number = event_number - 1",
}


async def journey(service: Service) -> None:
    """Leave one of everything: a success, a decline, a payment and a call under way, a call that was charged; and of
    others a refund to a card, a check that waits, and one that came back.
    """
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(500), await factories.switch_key(service)
    for token in ("tok_visa", "tok_declined", "tok_3ds"):
        await pay(service, ann, await ann.quote(opened), await ann.card(token), token)
    await authorize(service, key, opened.phone)
    await record(service, key, opened.phone, 60)
    await authorize(service, key, opened.phone, "under way")
    ben, cora = await factories.holder(service, "ben@mail.test"), await factories.holder(service, "cora@mail.test")
    refunding = await ben.advance_connect(300)
    await paid(service, ben, refunding, "25.00", await ben.card())
    await refunded(service, ben, refunding)
    await service.work()
    await held(service, cora)
    await for_others(service, ann)


async def for_others(service: Service, ann: Holder) -> None:
    """Pay for stamps, and for somebody in custody, with a fee."""
    card, jordan = await ann.card(), await person(await place())
    await fee("BUY_STAMPS", fixed=25)
    book, debit = await opened(ann, Product.EMESSAGING), await opened(ann, Product.DEBIT, jordan)
    for purpose, inputs in (
        ("BUY_STAMPS", {"serviceAccountId": service_id(book), "stamps": 5}),
        ("FUND_DEBIT", {"serviceAccountId": service_id(debit), "amount": "5.00"}),
    ):
        quoted = (await quote_for(service, ann, purpose, **inputs))["quote"]
        await pay(service, ann, quoted["id"], card, purpose)


async def lift_guards() -> None:
    """Take away, for as long as this transaction lasts, what keeps a difference from arising."""
    for guard in GUARDS:
        on = f" on {guard.table}" if dialect() == "postgres" else ""
        await execute(f"drop trigger {guard.name}{on}")
    if dialect() == "postgres":
        for constraint in ("balances_never_negative", "balances_hold_what_is_there"):
            await execute(f"alter table balances drop constraint {constraint}")
    else:
        await execute("pragma ignore_check_constraints = on")


async def test_a_journey_leaves_no_difference(service: Service) -> None:
    await journey(service)

    found = await audit()

    assert found.differences == ()
    assert (found.balances, found.entries, found.holds) == (4, 12, 2)


async def test_an_empty_database_has_no_difference(service: Service) -> None:
    found = await audit()

    assert (found.balances, found.entries, found.holds, found.differences) == (0, 0, 0, ())


async def test_each_planted_difference_is_found(service: Service) -> None:
    await journey(service)

    missed = [words for words in PLANTED if not await is_found(words)]

    assert missed == []
    assert (await audit()).differences == ()


async def is_found(words: str) -> bool:
    """Tell whether an audit tells of a difference, which the books have for as long as this looks."""
    async with in_transaction("default") as planting:
        await lift_guards()
        await execute(PLANTED[words])
        found = [difference for difference in (await audit()).differences if words in difference]
        await planting.rollback()
    return found != []
