"""Random operations by several holders, by GraphQL; a model is told of each and says what must have come of it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.adapters.database import fetch_one, read_uuid
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import Channel, Role
from api.services import chargebacks, month_ends, sandbox
from tests import factories
from tests.factories import Opened, key_of_service
from tests.flows import closing, money, top_ups
from tests.flows.bill_walk import BILL_WEIGHTS, Bills
from tests.flows.conftest import Service
from tests.flows.direct_bill import external
from tests.flows.model import DAY, HOUR, Dispute, Payment, Wallet, cents_of, check, dollars
from tests.flows.model_bills import Bill
from tests.flows.money_back import CLAIM, UPDATE, staff
from tests.flows.test_external_payments import partner
from tests.flows.test_held_funds import ADDRESS
from tests.flows.walk_users import REFUSING, User, join, keep_card

HOLDERS = 4
DECLINES_MAX = 4
AMOUNTS = (500, 1_000, 2_500, 4_075)
PASSES = (HOUR, 5 * HOUR, 26 * HOUR, 3 * DAY, 8 * DAY, 23 * DAY)
RECEIPT = """query($token: String!) { closureByReceipt(receiptToken: $token) { status
  refunds { id status method amount { amount } } heldFunds { id claimable amount { amount } } } }"""
REMOVE = "mutation($id: ID!) { removePaymentMethod(id: $id) { errors { code } } }"
WEIGHTS = {
    "pay": 14, "pay_by_partner": 5, "decline": 3, "call": 16, "report": 14, "top_up": 5, "dispute": 5,
    "end_dispute": 5, "wait": 14, "close": 5, "delete": 2, "bounce": 4, "claim": 4, "remove_card": 2, **BILL_WEIGHTS,
}  # fmt: skip


class Walk:
    """A walk by a seed: `done` has a line for each step, so that a difference can be understood."""

    def __init__(self, service: Service, seed: str) -> None:
        self.service, self.random = service, random.Random(seed)
        self.users: list[User] = []
        self.closed: list[Wallet] = []
        self.owners: dict[Wallet, User] = {}
        self.payments: list[Payment] = []
        self.disputes: list[Dispute] = []
        self.declined: list[datetime] = []
        self.number, self.unapplied = 0, 0
        self.bills, self.seen = Bills(self), service.ports.now()
        self.done: list[str] = []
        self.kinds: Counter[str] = Counter()

    @property
    def now(self) -> datetime:
        return self.service.ports.now()

    @property
    def wallets(self) -> list[Wallet]:
        return [user.wallet for user in self.users if user.wallet] + self.closed

    async def begin(self) -> None:
        """Bring in the holders, a switch, a partner and staff."""
        self.switch, self.partner = await factories.switch_key(self.service), await partner(self.service)
        await staff(self.service, Role.BILLING_AGENT)
        row = await fetch_one("select id from staff_members")
        assert row is not None
        self.agent: UUID = read_uuid(row["id"])
        await month_ends.expect_month_end(self.service.ports)
        for _ in range(HOLDERS):
            await self._join()

    async def step(self) -> None:
        """Do one thing, and what falls due by it."""
        user, kind = self.random.choice(self.users), self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        user.holder = await factories.begin_again(user.holder)
        self.done.append(f"{len(self.done)}: {kind} by {user.holder.email}")
        self.kinds[kind] += 1
        if user.wallet is None:
            await self._open(user)
        await getattr(self.bills if kind in BILL_WEIGHTS else self, kind)(user)
        await self._pass_time(timedelta())

    async def pay(self, user: User) -> None:
        """Pay by card; now and then the answer is lost, and the service may be closed before it is known."""
        wallet, card, cents = user.open, self.random.choice(user.cards), self.random.choice(AMOUNTS)
        is_lost = self.random.random() < 0.25
        self.note(f"{cents} by {card.id[-4:]}{', answer lost' if is_lost else ''}")
        payload = await self._charge(user, card.id, cents, "timeout_charged" if is_lost else "ok")
        assert payload["payment"]["status"] == ("PROCESSING" if is_lost else "SUCCEEDED"), payload
        key = (await self.service.processor.charges())[-1].key
        if is_lost and self.random.random() < 0.4:
            await self.close(user)
        if is_lost:
            await closing.pass_time(self.service, timedelta(minutes=30))
        self.payments.append(wallet.pay(key, card, cents))

    async def decline(self, user: User) -> None:
        """Pay by a card that is declined, as often as is let."""
        if len([at for at in self.declined if at > self.now - HOUR]) < DECLINES_MAX:
            payload = await self._charge(user, user.cards[0].id, 500, "decline")
            assert (payload["payment"] or {"status": "FAILED"})["status"] == "FAILED", payload
            self.declined.append(self.now)

    async def pay_by_partner(self, user: User) -> None:
        """Pay by Western Union; now and then to a service that was closed, so that staff must look into it."""
        wallet, cents = user.open, self.random.choice(AMOUNTS)
        if self.closed and self.random.random() < 0.2:
            wallet = self.random.choice(self.closed)
        more = {"externalReference": self.name(), "paidAt": (self.now - HOUR).isoformat()}
        payload = await external(self.service, self.partner, wallet.number, dollars(cents), **more)
        assert payload["errors"] == [], payload
        if wallet.status == "ACTIVE":
            wallet.pay("", None, cents)
        else:
            self.unapplied += cents

    async def call(self, user: User) -> None:
        """Ask as the switch whether a call may begin."""
        call_id = self.name()
        answer = await money.authorize(self.service, self.switch, user.open.phone, call_id)
        allowed = user.open.authorize(call_id, self.now)
        assert answer["maxSeconds"] == allowed, (answer, allowed)

    async def report(self, user: User) -> None:
        """Report a call of anybody's: late, of a service that is being closed, or a second time too."""
        found = [(wallet, call) for wallet in self.wallets for call in wallet.calls.values()]
        found = [each for each in found if not each[1].recorded] if self.random.random() < 0.9 else found
        if not found:
            return
        wallet, call = self.random.choice(found)
        seconds, was_recorded = self.random.choice((0, 1, 61, 600, 1_800, 3_600)), call.recorded
        answer = await money.record(
            self.service, self.switch, wallet.phone, seconds, call.id, startedAt=call.began.isoformat()
        )
        assert (answer["errors"], answer["replayed"]) == ([], was_recorded)
        if not was_recorded:
            cost = wallet.record(call.id, seconds, self.now)
            self.note(f"{seconds} s cost {cost}, service {wallet.status}")
            assert answer["call"]["cost"] == {"amount": dollars(cost)}, (answer, cost)

    async def top_up(self, user: User) -> None:
        """Set AutoPay anew; it charges at once while the balance is low."""
        card = next((card for card in user.cards if not card.refuses and not card.is_disputed), None)
        if card is None:
            return
        scene = top_ups.Scene(self.service, user.holder, Opened(key_of_service(user.open.id), user.open.phone), card.id)
        threshold, cents = self.random.choice(((500, 1_000), (1_000, 2_500)))
        payload = await scene.set_auto_pay(dollars(threshold), dollars(cents))
        assert payload["errors"] == [], payload
        user.open.top_up, user.open.armed, user.open.stopped = (card, threshold, cents), True, False

    async def dispute(self, user: User) -> None:
        """Have a bank take back what is left of a payment, also of one who is gone."""
        found = [payment for payment in self.payments if payment.left > 0 and not payment.disputed]
        if found:
            payment = self.random.choice(found)
            self.note(f"{payment.left} of {payment.amount}, service {payment.service.status}")
            opened = await self.service.processor.open_dispute(payment.key, self.now)
            assert opened is not None
            assert opened.amount_cents == payment.left
            assert await chargebacks.follow(self.service.ports, opened.id)
            self.disputes.append(payment.service.take_back(opened.id, payment))

    async def end_dispute(self, user: User) -> None:
        """Have a dispute end."""
        if self.disputes:
            dispute = self.disputes.pop(self.random.randrange(len(self.disputes)))
            won, wallet = self.random.random() < 0.6, dispute.payment.service
            self.note(f"{dispute.amount} {'won' if won else 'lost'}, service {wallet.status}")
            await self.service.processor.end_dispute(dispute.id, won)
            assert await chargebacks.follow(self.service.ports, dispute.id)
            if won:
                wallet.win(dispute, self.now)

    async def wait(self, user: User) -> None:
        """Let time pass."""
        by = self.random.choice(PASSES)
        self.note(str(by))
        await self._pass_time(by)

    async def close(self, user: User) -> None:
        """Close the service, having been shown what goes back."""
        wallet = user.open
        shown = await closing.preview(self.service, user.holder.token, wallet.id)
        assert sum(cents_of(each["refundable"]) for each in shown["refunds"]) == max(0, wallet.posted - wallet.held), (
            shown
        )
        self._ended(user, (await closing.close(self.service, user.holder, wallet.id, self.name()))["receiptToken"])

    async def delete(self, user: User) -> None:
        """Delete the account; somebody else comes."""
        await self.bills.delete(user)
        self._ended(user, (await closing.delete(self.service, user.holder, self.name()))["receiptToken"])
        self.bills.deleted(user)
        self.users.remove(user)
        await self._join()

    async def bounce(self, user: User) -> None:
        """Have a check come back, or be impossible to make out: its money is held, or in the service opened again."""
        for wallet in self.random.sample(self.closed, len(self.closed)):
            for shown in (await self.receipt(wallet))["refunds"]:
                if shown["method"] == "CHECK" and shown["status"] in ("SUBMITTED", "ISSUED"):
                    given = {"id": shown["id"], "to": "HELD"}
                    data = await self.service.ask(UPDATE, given, token=await self.staff_token())
                    assert data["staffUpdateRefund"]["errors"] == []
                    wallet.hold(cents_of(shown["amount"]), self.now)
                    owner = self.owners[wallet]
                    if owner in self.users and owner.wallet is not None:
                        owner.wallet.move(cents_of(shown["amount"]))
                    return

    async def claim(self, user: User) -> None:
        """Claim what is held, by a receipt: another check goes out."""
        for wallet in self.random.sample(self.closed, len(self.closed)):
            for held in (await self.receipt(wallet))["heldFunds"]:
                if held["claimable"]:
                    given = {
                        "heldFundsId": held["id"], "address": ADDRESS, "idempotencyKey": self.name(),
                        "receiptToken": wallet.receipt, "passcode": "2468",
                    }  # fmt: skip
                    payload = (await self.service.ask(CLAIM, {"input": given}))["claimHeldFunds"]
                    assert payload["errors"] == [], payload
                    wallet.refunds.append(check(cents_of(held["amount"]), self.now))
                    return

    async def remove_card(self, user: User) -> None:
        """Remove a card that AutoPay does not use, and keep another: what it paid still goes back to it."""
        card = self.random.choice(user.cards)
        payload = (await self.service.ask(REMOVE, {"id": card.id}, token=user.holder.token))["removePaymentMethod"]
        is_used = user.open.top_up is not None and user.open.top_up[0] is card
        assert bool(payload["errors"]) is is_used, payload
        if not is_used:
            user.cards.remove(card)
            await keep_card(user, REFUSING if card.refuses else "tok_visa")

    async def receipt(self, wallet: Wallet | Bill) -> dict[str, Any]:
        """Return what the receipt of a service's closing shows."""
        found: dict[str, Any] = (await self.service.ask(RECEIPT, {"token": wallet.receipt}))["closureByReceipt"]
        return found

    async def staff_token(self) -> str:
        """Sign the billing agent in."""
        token, _ = await begin_sign_in(self.service.ports, Bearer(self.agent, True, "", Channel.WEB, False))
        return token

    def name(self) -> str:
        """Return a name that was not used yet."""
        self.number += 1
        return f"n{self.number}"

    def note(self, what: str) -> None:
        """Add to the line of the step under way."""
        self.done[-1] += f", {what}"

    async def _join(self) -> None:
        self.users.append(await join(self.service, f"{self.name()}@mail.test"))

    async def _open(self, user: User) -> None:
        phone = f"+1505{2_000_000 + user.holder.account_id.int % 5_000_000:07d}"
        payload = await money.open_service(self.service, user.holder, self.name(), phone=phone)
        assert payload["errors"] == [], payload
        user.wallet = wallet = Wallet(payload["serviceAccount"]["id"], payload["serviceAccount"]["number"], phone)
        self.owners[wallet] = user

    async def _charge(self, user: User, card: str, cents: int, behaviour: Any) -> dict[str, Any]:
        given = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": user.open.id, "amount": dollars(cents)}
        quoted = await self.service.ask(money.QUOTE, {"input": given}, token=user.holder.token)
        assert quoted["quotePayment"]["errors"] == [], quoted
        await self.service.processor.behave(next=behaviour)
        payload = await money.pay(self.service, user.holder, quoted["quotePayment"]["quote"]["id"], card, self.name())
        await self.service.processor.behave(next="ok")
        return payload

    def _ended(self, user: User, receipt: str) -> None:
        wallet, user.wallet = user.open, None
        wallet.receipt = receipt
        wallet.close(self.now)
        self.closed.append(wallet)

    async def _pass_time(self, by: timedelta) -> None:
        # A month on a busy machine takes longer than one flow may; the walk as a whole is timed.
        await sandbox.advance(self.service.ports, by, self.service.runner.run_due)
        self.bills.pass_time(self.seen, self.now)
        self.seen = self.now
        for wallet in self.wallets:
            wallet.pass_time(self.now)
            if cents := wallet.wants_top_up():
                assert wallet.top_up is not None
                query = "select id from payments where service_account_id = $1 and channel = 'AUTOPAY' order by id desc"
                row = await fetch_one(f"{query} limit 1", key_of_service(wallet.id))
                assert row is not None, "AutoPay did not charge"
                self.payments.append(wallet.pay(str(read_uuid(row["id"])), wallet.top_up[0], cents))
                self.note(f"AutoPay {cents}")
