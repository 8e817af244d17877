"""The steps of a walk with Direct Bill, stamps and deposits for somebody in custody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.adapters.database import fetch, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import Product
from api.services.mails import Link
from tests.factories import key_of_service
from tests.flows import closing, money
from tests.flows.direct_bill import external, pay_link
from tests.flows.model import HOUR, dollars
from tests.flows.model_bills import LIMIT, Bill
from tests.flows.paying import opened, person, place, service_id
from tests.flows.test_closing_withdrawals import withdraw
from tests.flows.test_invoice_voids import void
from tests.flows.walk_users import User

if TYPE_CHECKING:
    from tests.flows.random_walk import Walk

BILL_WEIGHTS = {
    "open_bill": 4, "call_by_bill": 14, "call_late": 3, "pay_link": 5, "pay_bill_by_partner": 4, "close_bill": 3,
    "withdraw_bill": 2, "void_invoice": 2, "buy_stamps": 3, "deposit": 3,
}  # fmt: skip
AMOUNTS = (300, 1_200, 6_000)
STAMP_CENTS, PACKS = 50, (5, 10, 20)


@dataclass(eq=False)
class Book:
    """Stamps of a holder."""

    id: str
    posted: int = 0
    held: int = 0


class Bills:
    """What walks by Direct Bill, stamps and deposits did, for `walk`, which does one step at a time."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.random = walk, walk.random
        self.open: dict[User, Bill] = {}
        self.closed: list[tuple[User, Bill]] = []
        self.books: dict[User, Book] = {}
        self.lost_books: list[Book] = []
        self.deposits: dict[User, str] = {}
        self.deposited = 0

    @property
    def all(self) -> list[Bill]:
        """Every Direct Bill service."""
        return [*self.open.values(), *(bill for _, bill in self.closed)]

    async def open_bill(self, user: User) -> None:
        """Open Direct Bill."""
        if user not in self.open:
            phone = f"+1512{2_000_000 + user.holder.account_id.int % 5_000_000:07d}"
            given = {"product": "DIRECT_BILL", "phone": phone}
            payload = await money.open_service(self.walk.service, user.holder, self.walk.name(), **given)
            assert payload["errors"] == [], payload
            made = payload["serviceAccount"]
            self.open[user] = Bill(made["id"], made["number"], phone, self.walk.now)

    async def call_by_bill(self, user: User) -> None:
        """Report a call on Direct Bill; now and then a dear one, past the limit."""
        await self.open_bill(user)
        await self._report(self.open[user])

    async def call_late(self, user: User) -> None:
        """Report a call that began before a closing: within its hold, or after."""
        found = [bill for user, bill in self.closed if bill.status == "CLOSING" or user in self.walk.users]
        if found:
            await self._report(self.random.choice(found))

    async def _report(self, bill: Bill) -> None:
        walk, seconds = self.walk, self.random.choice((61, 600, 3_600, 86_400))
        began = (bill.since if bill.status != "ACTIVE" else walk.now).isoformat()
        answer = await money.record(walk.service, walk.switch, bill.phone, seconds, walk.name(), startedAt=began)
        cost = bill.call(seconds, walk.now)
        walk.note(f"{seconds} s cost {cost}, service {bill.status}")
        assert (answer["errors"], answer["call"]["cost"]) == ([], {"amount": dollars(cost)}), (answer, cost)

    async def pay_link(self, user: User) -> None:
        """Pay an invoice of anybody's by its link, also one that is void or paid."""
        found = [(bill, n) for bill in self.all for n in range(len(bill.invoices))]
        if not found:
            return
        bill, number = self.random.choice(found)
        invoice, link = bill.invoices[number], await self._link(bill, number)
        payload = await pay_link(self.walk.service, link, dollars(max(1, invoice.due)), key=self.walk.name())
        self.walk.note(f"{invoice.due}, invoice {invoice.status}, service {bill.status}")
        assert [each["code"] for each in payload["errors"]] == ([] if invoice.due else ["INVALID_STATE"]), payload
        if invoice.due:
            bill.pay(invoice.due, self.walk.now, invoice)

    async def pay_bill_by_partner(self, user: User) -> None:
        """Pay invoices by Western Union, oldest first; what comes to a service that is over waits for staff."""
        if not self.all:
            return
        walk, bill, cents = self.walk, self.random.choice(self.all), self.random.choice(AMOUNTS)
        more = {"externalReference": walk.name(), "paidAt": (walk.now - HOUR).isoformat()}
        payload = await external(walk.service, walk.partner, bill.number, dollars(cents), **more)
        is_taken = bill.status == "ACTIVE" or bool(bill.unpaid)
        walk.note(f"{cents}, service {bill.status}, due {bill.posted}")
        assert (payload["errors"], payload["applied"]) == ([], is_taken), payload
        if is_taken:
            bill.pay(cents, walk.now)
        else:
            walk.unapplied += cents

    async def close_bill(self, user: User) -> None:
        """Close Direct Bill."""
        if user in self.open:
            bill = self.open.pop(user)
            payload = await closing.close(self.walk.service, user.holder, bill.id, self.walk.name())
            bill.close(self.walk.now, payload["receiptToken"], payload["closure"]["id"])
            self.closed.append((user, bill))

    async def withdraw_bill(self, user: User) -> None:
        """Take a closing back, where it is held still and Direct Bill was not opened anew."""
        mine = [(owner, bill) for owner, bill in self.closed if owner is user]
        if not mine:
            return
        bill = mine[-1][1]
        payload = await withdraw(self.walk.service, user.holder, bill.closure_id)
        may = bill.status == "CLOSING" and user not in self.open
        assert [each["code"] for each in payload["errors"]] == ([] if may else ["INVALID_STATE"]), payload
        if may:
            bill.withdraw(self.walk.now)
            self.closed.remove(mine[-1])
            self.open[user] = bill

    async def void_invoice(self, user: User) -> None:
        """Have staff void an invoice, also one on which nothing is due."""
        found = [(bill, n) for bill in self.all for n in range(len(bill.invoices))]
        if found:
            bill, number = self.random.choice(found)
            invoice, key = bill.invoices[number], await self._invoice_id(bill, number)
            given = global_id(NodeKind.INVOICE, key)
            payload = await void(self.walk.service, await self.walk.staff_token(), given, key=self.walk.name())
            self.walk.note(f"{invoice.due}, invoice {invoice.status}, service {bill.status}")
            assert [each["code"] for each in payload["errors"]] == ([] if invoice.due else ["INVALID_STATE"]), payload
            if invoice.due:
                bill.void(invoice)

    async def buy_stamps(self, user: User) -> None:
        """Buy stamps, which are never given back."""
        if user not in self.books:
            self.books[user] = Book(service_id(await opened(user.holder, Product.EMESSAGING)))
        book, pack = self.books[user], self.random.choice(PACKS)
        await self._buy(user, {"purpose": "BUY_STAMPS", "serviceAccountId": book.id, "stamps": pack})
        book.posted += pack

    async def deposit(self, user: User) -> None:
        """Deposit for somebody in custody, whose money it is from then on."""
        if user not in self.deposits:
            somebody = await person(await place(self.walk.name()))
            self.deposits[user] = service_id(await opened(user.holder, Product.DEBIT, somebody))
        cents = self.random.choice(AMOUNTS)
        given = {"purpose": "FUND_DEBIT", "serviceAccountId": self.deposits[user], "amount": dollars(cents)}
        await self._buy(user, given)
        self.deposited += cents

    async def delete(self, user: User) -> None:
        """Close Direct Bill before its account is deleted, so that each closing has a receipt of its own."""
        await self.close_bill(user)

    def deleted(self, user: User) -> None:
        """Lose the stamps of a deleted account."""
        if book := self.books.pop(user, None):
            book.posted = 0
            self.lost_books.append(book)

    def pass_time(self, before: Any, now: Any) -> None:
        """Do what each day brings."""
        for bill in self.all:
            bill.pass_time(before, now)

    def balances(self) -> dict[Any, Bill | Book]:
        """Return what each balance row must have, by its service."""
        found = [*self.all, *self.books.values(), *self.lost_books]
        return {key_of_service(each.id): each for each in found}

    async def agree(self) -> None:
        """Compare invoices, deposits and what is unbilled with the model."""
        assert await closing.ledger_of("DEBIT_FUNDS") == self.deposited
        assert -await closing.ledger_of("UNBILLED") == sum(bill.unbilled for bill in self.all)
        assert all(bill.posted <= LIMIT for bill in self.all)
        for bill in self.all:
            rows = await self._rows(bill)
            expected = [(invoice.total, invoice.due, invoice.status) for invoice in bill.invoices]
            assert [(row["total"], row["due"], row["status"]) for row in rows] == expected, bill

    async def _rows(self, bill: Bill) -> Any:
        return await fetch("select * from invoices where service_account_id = $1 order by id", key_of_service(bill.id))

    async def _invoice_id(self, bill: Bill, number: int) -> Any:
        return read_uuid((await self._rows(bill))[number]["id"])

    async def _link(self, bill: Bill, number: int) -> str:
        url = Link("invoice", (str(await self._invoice_id(bill, number)),)).url(self.walk.service.ports)
        return url.partition("link=")[2]

    async def _buy(self, user: User, given: dict[str, Any]) -> None:
        walk, card = self.walk, self.random.choice(user.cards)
        quoted = (await walk.service.ask(money.QUOTE, {"input": given}, token=user.holder.token))["quotePayment"]
        assert quoted["errors"] == [], quoted
        payload = await money.pay(walk.service, user.holder, quoted["quote"]["id"], card.id, walk.name())
        assert payload["payment"]["status"] == "SUCCEEDED", payload
