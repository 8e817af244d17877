"""A walk of random operations, after each step of which the service and a plain model agree to the cent.

SEED repeats a walk, and STEPS makes it as long: `make hammer` does a thousand on each database.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from api.adapters.database import fetch, read_uuid
from api.domain.days import day_of
from api.services.audit import audit
from api.services.reconciliation import reconcile
from tests.factories import begin_again, key_of_service
from tests.flows.bill_walk import Book
from tests.flows.closing import ledger_of
from tests.flows.conftest import Service
from tests.flows.model import Refund, Wallet, cents_of
from tests.flows.model_bills import Bill
from tests.flows.random_walk import Walk
from tests.hammer.books import read_tables
from tests.hammer.invariants import Permanence, differences

STEPS = int(os.environ.get("STEPS") or 50)
SECONDS_PER_STEP = 3
RECENT = 8
FINAL = ("COMPLETED", "REROUTED", "HELD", "NOTHING_DUE")
BEGINNING, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
KEYS_OF_ENTRIES = "select e.id, b.product from journal_entries e join balances b on b.id = e.balance_id"
BALANCES = """{ me { serviceAccounts { id ... on AdvanceConnectAccount {
  balance { posted { amount } held { amount } incoming { amount } available { amount } } } } } }"""


@pytest.mark.row("F38", "F39", "F43", "I1", "I2", "I5", "I8", "I9")
@pytest.mark.rule("12", "13", "16", "21", "22", "23", "24", "25", "26", "27")
async def test_random_operations_agree_with_a_plain_model_after_each_step(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    walk, kept = Walk(service, seed), Permanence()
    print(f"SEED={seed} STEPS={STEPS}")
    try:
        async with asyncio.timeout(60 + STEPS * SECONDS_PER_STEP):
            await walk.begin()
            for number in range(STEPS):
                await walk.step()
                await agree(walk, walk.closed[-RECENT:], [bill for _, bill in walk.bills.closed[-RECENT:]])
                if number % 25 == 24:
                    tables = await read_tables(database_url)
                    assert kept.differences(tables) == []
            await agree(walk, walk.closed, [bill for _, bill in walk.bills.closed])
            found = differences(await read_tables(database_url), tmp_path / "processor.sqlite3")
            found = [each for each in found if each.startswith(("I1", "I2", "I9")) and "published" not in each]
            assert [each for each in found if not await _is_another_rule(each)] == []
            assert (await audit()).differences == ()
    except BaseException:
        print(f"SEED={seed}", *walk.done[-40:], sep="\n")
        raise
    print(dict(walk.kinds))


async def _is_another_rule(difference: str) -> bool:
    """Tell whether a difference is none: Direct Bill is debits less credits, which the audit counts, and nobody is told
    of stamps."""
    queries = ("select id, product from balances", KEYS_OF_ENTRIES)
    rows = [row for query in queries for row in await fetch(query)]
    product = {str(read_uuid(row["id"])): row["product"] for row in rows}
    of = {product.get(key) for key in re.findall(r"[0-9a-f-]{36}", difference)}
    return (difference[:2], of) in (("I2", {"DIRECT_BILL"}), ("I9", {"EMESSAGING"}))


async def agree(walk: Walk, closed: Sequence[Wallet], bills: Sequence[Bill]) -> None:
    """Compare all that there is with the model, and the books with themselves and with the processor's."""
    ports = walk.service.ports
    assert (await reconcile(ports, day_of(ports.now()))).differences == ()
    moved = sum(movement.cents for movement in await walk.service.processor.movements(BEGINNING, END))
    assert -await ledger_of("PROCESSOR_CLEARING") == moved
    assert await ledger_of("UNAPPLIED_RECEIPTS") == walk.unapplied
    wallets = {key_of_service(wallet.id): wallet for wallet in walk.wallets}
    losing = (*wallets.values(), *walk.bills.all)
    assert -await ledger_of("BAD_DEBT_EXPENSE") == sum(each.lost + each.written_off for each in losing)
    await walk.bills.agree()
    expected: dict[UUID, Wallet | Bill | Book] = {**wallets, **walk.bills.balances()}
    for row in await fetch("select service_account_id, posted, held, incoming from balances"):
        each = expected[read_uuid(row["service_account_id"])]
        assert (row["posted"], row["held"], row["incoming"]) == (each.posted, each.held, 0), each
    for user in walk.users:
        user.holder = await begin_again(user.holder)
        services = (await walk.service.ask(BALANCES, token=user.holder.token))["me"]["serviceAccounts"]
        for shown in [each for each in services if "balance" in each]:
            wallet, balance = wallets[key_of_service(shown["id"])], shown["balance"]
            found = tuple(cents_of(balance[name]) for name in ("posted", "held", "incoming", "available"))
            assert found == (wallet.posted, wallet.held, 0, wallet.posted - wallet.held), wallet
    for wallet in closed:
        await _agree_on_closing(walk, wallet)
    for bill in bills:
        await _agree_on_bill(walk, bill)


async def _agree_on_closing(walk: Walk, wallet: Wallet) -> None:
    shown, now = await walk.receipt(wallet), walk.now
    refunds = [(each["method"], cents_of(each["amount"]), each["status"]) for each in shown["refunds"]]
    if wallet.status == "CLOSING":
        assert shown["status"] == "SETTLING_CALLS"
        assert [status for _, _, status in refunds] == ["SETTLING"]
        return
    assert _fits(wallet.refunds, refunds, now), (wallet.refunds, refunds, now)
    is_over = all(status in FINAL for _, _, status in refunds)
    wallet.over = wallet.over or is_over
    assert shown["status"] == ("COMPLETED" if wallet.over else "REFUNDING"), shown


async def _agree_on_bill(walk: Walk, bill: Bill) -> None:
    shown = await walk.receipt(bill)
    refunds = [(each["method"], cents_of(each["amount"]), each["status"]) for each in shown["refunds"]]
    assert _fits(bill.refunds, refunds, walk.now), (bill, refunds, walk.now)
    is_going_back = any(status not in FINAL for _, _, status in refunds)
    bill.over = bill.over or (bill.status == "CLOSED" and not bill.unpaid and not is_going_back)
    expected = (
        "DIRECT_BILL_HOLD" if bill.status == "CLOSING"
        else "COMPLETED" if bill.over
        else "REFUNDING" if is_going_back
        else "AWAITING_FINAL_PAYMENT"
    )  # fmt: skip
    assert shown["status"] == expected, (shown, bill)


def _fits(expected: Sequence[Refund], found: Sequence[tuple[str, int, str]], now: datetime) -> bool:
    """Tell whether each refund that was found is one that is expected, whatever their order."""
    left = list(expected)
    for method, amount, status in sorted(found, key=lambda each: each[2] != "HELD"):
        matching = [
            each for each in left
            if each.amount == amount and (each.method in ("", method)) and each.allows(status, now)
        ]  # fmt: skip
        if not matching:
            return False
        left.remove(min(matching, key=lambda each: each.ends))
    return not left
