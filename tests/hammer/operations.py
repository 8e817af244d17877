"""Random operations, each safe to repeat: what a lost answer leaves open is asked again with the same key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.hammer.acknowledged import Acknowledged, Call, Payment
from tests.hammer.client import AUTHORIZE, BALANCES, PAID, PAY, QUOTE, RECORD, Client, NoAnswer
from tests.hammer.world import Holder, World

RATES = ("0.14", "0.21", "0.0333", "0.0050", "1.9999", "12.5")
DURATIONS = (0, 1, 59, 60, 61, 754, 3_600, 3_601, 9_000, 86_400)
MODES = ("ok", "ok", "ok", "decline", "timeout", "timeout_charged")
ADVANCES = ("PT45S", "PT6M", "PT65M", "P1DT1H")
TWINS = 4
NOBODY = "+15055559999"


class Operations:
    """The hammer's hands. `now` is product time as it was last read."""

    def __init__(self, world: World, client: Client, pick: random.Random) -> None:
        self.world, self.client, self.pick = world, client, pick
        self.told = Acknowledged()
        self.now = datetime.now(UTC)
        self._number = 0

    def choices(self) -> list[tuple[int, Callable[[], Awaitable[Any]]]]:
        """Return every operation with how often it comes."""
        return [
            (10, self.pay),
            (4, self.pay_by_twins),
            (3, self.pay_one_quote_by_two_keys),
            (2, self.pay_another_with_a_used_key),
            (4, self.replay_a_payment),
            (12, self.call),
            (4, self.report_by_twins),
            (3, self.report_before_asking),
            (4, self.drain),
            (4, self.replay_a_report),
            (5, self.be_refused),
            (3, self.behave),
            (1, self.advance),
            (3, self.read),
        ]

    async def quote(self, holder: Holder, dollars: str) -> str | None:
        """Return a quote's id, or None when it was refused."""
        given = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": holder.service, "amount": dollars}
        root = await self.client.until_answered(QUOTE, {"input": given}, holder.token)
        return root["quote"]["id"] if root.get("quote") else None

    async def new_payment(self, holder: Holder | None = None, card: str | None = None) -> Payment | None:
        """Return a payment that nobody has asked for yet."""
        holder = holder or self._holder()
        card = card or self.pick.choices(("tok_visa", "tok_declined", "tok_3ds"), (8, 1, 2))[0]
        cents, key = self.pick.choice((100, 101, 733, 2_500, 5_000)), self._name("key")
        quote = await self.quote(holder, f"{cents // 100}.{cents % 100:02d}")
        return self.told.pay(Payment(holder, key, quote, holder.cards[card], cents)) if quote else None

    async def ask_to_pay(self, payment: Payment, url: str | None = None) -> None:
        """Ask once; a lost answer is simply not heard."""
        try:
            payment.hear(await self.client.once(PAY, payment.variables, payment.holder.token, url))
        except NoAnswer:
            return

    async def settle_payment(self, payment: Payment) -> None:
        """Ask until there is an answer."""
        payment.hear(await self.client.until_answered(PAY, payment.variables, payment.holder.token))

    async def pay(self) -> None:
        """Pay a quote, and again when the answer was lost."""
        if payment := await self.new_payment():
            await self.ask_to_pay(payment)
            if not payment.answers:
                await self.settle_payment(payment)

    async def pay_by_twins(self, count: int = TWINS) -> Payment | None:
        """Pay with one key over several connections to every process at once."""
        payment = await self.new_payment()
        if payment:
            urls = self.client.fleet.urls() or [None]
            asks = [self.ask_to_pay(payment, urls[number % len(urls)]) for number in range(count)]
            await asyncio.gather(*asks)
            await self.settle_payment(payment)
        return payment

    async def pay_one_quote_by_two_keys(self) -> None:
        """Pay one quote with two keys at once: both lead to one payment."""
        one = await self.new_payment(card="tok_visa")
        if one is None:
            return
        two = self.told.pay(Payment(one.holder, self._name("key"), one.quote, one.card, one.cents))
        await asyncio.gather(self.ask_to_pay(one), self.ask_to_pay(two))
        await asyncio.gather(self.settle_payment(one), self.settle_payment(two))
        if one.answers and two.answers and one.answers[-1][0] != two.answers[-1][0]:
            self.told.contradictions.append(f"one quote, two payments: {one.answers} {two.answers}")

    async def pay_another_with_a_used_key(self) -> None:
        """Use a key that made a payment for another quote: a conflict, and nothing is charged."""
        used = self._any_payment(lambda payment: bool(payment.answers))
        other = used and await self.quote(used.holder, "2.00")
        if used is None or other is None:
            return
        given = {"input": {**used.variables["input"], "quoteId": other}}
        root = await self.client.until_answered(PAY, given, used.holder.token)
        if root["errors"][0]["code"] != "IDEMPOTENCY_CONFLICT" or root["payment"] is not None:
            self.told.contradictions.append(f"key {used.key} was used for another quote: {root}")

    async def replay_a_payment(self) -> None:
        """Ask for an old key again, by the mutation and by the query."""
        if payment := self._any_payment(lambda payment: bool(payment.answers)):
            await self.settle_payment(payment)
            found = await self.client.until_answered(PAID, {"key": payment.key}, payment.holder.token)
            payment.answers.append((found["id"], found["status"]))

    async def authorize(self, call: Call, segment: int) -> int:
        """Ask for a segment until there is an answer; return the seconds that it allows."""
        given = {"callId": call.call_id, "segment": segment, "phone": call.holder.phone, "ratePerMinute": call.rate}
        root = await self.client.until_answered(AUTHORIZE, {"input": given}, self.world.switch_token)
        return int(root["maxSeconds"] or 0)

    def report_of(self, call: Call, duration_seconds: int, ended_before: timedelta = timedelta()) -> dict[str, Any]:
        """Return a report of the call, noted as sent."""
        started_at = self.now - ended_before - timedelta(seconds=duration_seconds)
        report = {
            "callId": call.call_id,
            "phone": call.holder.phone,
            "startedAt": started_at.isoformat().replace("+00:00", "Z"),
            "durationSeconds": duration_seconds,
            "ratePerMinute": call.rate,
        }
        call.reports.append(report)
        return report

    async def report(self, call: Call, report: dict[str, Any]) -> None:
        """Report a call until there is an answer."""
        call.hear_report(await self.client.until_answered(RECORD, {"input": report}, self.world.switch_token))

    def new_call(self, holder: Holder | None = None, rate: str | None = None) -> Call:
        """Return a call that nobody has asked for yet."""
        return self.told.call(Call(self._name("call"), holder or self._holder(), rate or self.pick.choice(RATES)))

    async def call(self) -> None:
        """Ask for up to three segments, repeat one, and mostly report the call."""
        call = self.new_call()
        for segment in range(self.pick.randint(1, 3)):
            await asyncio.gather(*(self.authorize(call, segment) for _ in range(self.pick.choice((1, 1, 2)))))
        if self.pick.random() < 0.8:
            await self.report(call, self.report_of(call, self.pick.choice(DURATIONS)))

    async def report_by_twins(self) -> None:
        """Report one call from several connections at once."""
        call = self.new_call()
        await self.authorize(call, 0)
        report = self.report_of(call, self.pick.choice(DURATIONS))
        await asyncio.gather(*(self.report(call, report) for _ in range(TWINS)))

    async def report_before_asking(self) -> None:
        """Report a call late and out of order: nobody asked for it, and somebody does afterwards."""
        call = self.new_call()
        report = self.report_of(call, self.pick.choice(DURATIONS), timedelta(hours=self.pick.choice((0, 5, 30))))
        await asyncio.gather(self.report(call, report), self.authorize(call, 0))
        await self.authorize(call, 1)

    async def drain(self) -> None:
        """Let two calls spend one balance at once."""
        holder = self._holder()
        calls = [self.new_call(holder, "12.5") for _ in range(2)]
        await asyncio.gather(*(self.authorize(call, 0) for call in calls))
        reports = [self.report_of(call, 3_600) for call in calls]
        await asyncio.gather(*(self.report(call, report) for call, report in zip(calls, reports, strict=True)))

    async def replay_a_report(self) -> None:
        """Report an old call again, with another duration: what was charged stays."""
        reported = [call for call in self.told.calls.values() if call.answers]
        if reported:
            call = self.pick.choice(reported)
            await self.report(call, self.report_of(call, self.pick.choice(DURATIONS)))

    async def be_refused(self) -> None:
        """Ask for what nobody may have: other people's things, amounts and calls that cannot be."""
        one, two = self.pick.sample(self.world.holders, 2)
        quote = await self.quote(two, "5.00")
        fund = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": one.service}
        order = {"quoteId": quote, "paymentMethodId": one.cards["tok_visa"], "idempotencyKey": self._name("never")}
        own = {"quoteId": quote, "paymentMethodId": one.cards["tok_visa"], "idempotencyKey": self._name("never")}
        call = {"callId": self._name("never"), "phone": NOBODY, "ratePerMinute": "0.14"}
        amounts = ("0", "-0.01", "0.001", "1e3", "NaN", "100000000", "0.99")
        known = {**call, "phone": one.phone, "startedAt": self.now.isoformat(), "durationSeconds": -1}
        later = {**known, "startedAt": (self.now + timedelta(days=2)).isoformat(), "durationSeconds": 60}
        switch = self.world.switch_token
        asks = [
            (QUOTE, {**fund, "amount": self.pick.choice(amounts)}, one.token),
            (QUOTE, {**fund, "amount": "5.00"}, two.token),
            (PAY, order, one.token),
            (PAY, own, two.token),
            (AUTHORIZE, {**call, "segment": 0}, one.token),
            (RECORD, {**call, "startedAt": self.now.isoformat(), "durationSeconds": 60}, switch),
            (RECORD, known, switch),
            (RECORD, later, switch),
            (AUTHORIZE, {**call, "phone": one.phone, "segment": -1}, switch),
        ]
        document, given, token = self.pick.choice(asks)
        root = await self.client.until_answered(document, {"input": given}, token)
        if not root["errors"]:
            self.told.contradictions.append(f"this was not refused: {given}: {root}")
        # A number that nobody has gets zero seconds, also when the switch asks twice at once.
        twice = [self.client.until_answered(AUTHORIZE, {"input": {**call, "segment": 0}}, switch) for _ in range(2)]
        if any(answer["maxSeconds"] != 0 for answer in await asyncio.gather(*twice)):
            self.told.contradictions.append(f"a number that nobody has was allowed to talk: {given}")

    async def behave(self) -> None:
        """Let the processor act in another way from now on."""
        await self._door("payments", {"next": self.pick.choice(MODES)})

    async def advance(self) -> None:
        """Move the clock while everything else goes on."""
        await self._door("clock", {"advance": self.pick.choices(ADVANCES, (4, 4, 3, 1))[0]})

    async def read(self) -> None:
        """Read all balances of somebody."""
        await self.client.until_answered(BALANCES, {}, self._holder().token)

    async def _door(self, path: str, body: dict[str, str]) -> None:
        try:
            await self.client.sandbox(path, body)
        except NoAnswer:
            return

    def _any_payment(self, fits: Callable[[Payment], bool]) -> Payment | None:
        found = [payment for payment in self.told.payments.values() if fits(payment)]
        return self.pick.choice(found) if found else None

    def _holder(self) -> Holder:
        return self.pick.choice(self.world.holders)

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number}"
