"""Runs due work: claims it with a lease, does it, and tries again with growing waits when it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from api.adapters.database import DatabaseUnavailable
from api.adapters.ports import Ports
from api.auth.sign_ins import follow_sandbox_clock
from api.services import (
    cancellation_flows,
    cancellations,
    card_expiry,
    card_refunds,
    charges,
    check_runs,
    closure_begins,
    closure_calls,
    closure_cancels,
    closure_holds,
    closure_states,
    due_work,
    erasure,
    held_funds,
    holds,
    inactivity,
    inactivity_plans,
    invoices,
    ledger,
    low_balances,
    mails,
    month_ends,
    plan_prices,
    processor_events,
    refund_work,
    renewals,
    sms,
    subscription_states,
    text_pay_ends,
    text_pays,
    top_up_charges,
    top_up_outcomes,
    video_sessions,
    video_work,
)

Job = Callable[[Ports, due_work.Claim], Awaitable[None]]

JOBS: Mapping[str, Job] = {
    mails.KIND: mails.send_mail,
    sms.KIND: sms.send_text,
    charges.WORK_KIND: charges.ask_processor,
    processor_events.WORK_KIND: processor_events.apply,
    card_expiry.WORK_KIND: card_expiry.tell,
    ledger.LOW_BALANCE: low_balances.look_at_low_balance,
    top_up_outcomes.AUTO_PAY_WORK: low_balances.look_at_low_balance,
    top_up_outcomes.SENDING: top_up_charges.send_again,
    text_pay_ends.OFFER_KIND: text_pays.expire_offer,
    refund_work.CARD_WORK: card_refunds.ask_processor,
    refund_work.SANDBOX_CHECK_WORK: check_runs.do_in_sandbox,
    refund_work.STALE_CHECK_WORK: check_runs.hold_stale,
    held_funds.DISPOSITION_WORK: held_funds.dispose,
    closure_begins.CALLS_WORK: closure_calls.settle_calls,
    closure_holds.HOLD_WORK: closure_holds.look_at_hold,
    closure_holds.WRITE_OFF_WORK: closure_holds.write_off,
    closure_cancels.WORK_KIND: closure_cancels.cancel_payment,
    closure_states.ERASURE_WORK: erasure.erase_account,
    inactivity_plans.WORK_KIND: inactivity.look,
    cancellation_flows.WORK_KIND: cancellations.look_at_left,
    month_ends.ALL_KIND: month_ends.fan_out,
    month_ends.ONE_KIND: month_ends.end_month,
    invoices.WORK_KIND: invoices.follow_invoice,
    subscription_states.RENEWAL_WORK: renewals.look,
    plan_prices.WORK_KIND: plan_prices.follow_price,
    video_sessions.REMINDER_WORK: video_work.remind,
    video_sessions.END_WORK: video_work.end_unreported,
    video_sessions.PAYMENT_WORK: video_work.end_payment,
}
FAILURES_MAX: Mapping[str, int] = dict.fromkeys(
    (
        charges.WORK_KIND,
        processor_events.WORK_KIND,
        refund_work.CARD_WORK,
        ledger.LOW_BALANCE,
        top_up_outcomes.AUTO_PAY_WORK,
        inactivity_plans.WORK_KIND,
        month_ends.ALL_KIND,
        subscription_states.RENEWAL_WORK,
        plan_prices.WORK_KIND,
        video_sessions.PAYMENT_WORK,
    ),
    24 * 14,
)
"""These are tried hourly for two weeks. The processor is asked, since money is not given up after an outage. The others
would wait for long after a fault of an hour: nobody calls while a balance is too low, months end once a month,
and plans renew so. What was given up all the same begins anew with the next entry of the balance, with the month's end,
with a change to the plan, or by staff."""
LOOK_EVERY_SECONDS = 1.0
AT_ONCE = 4
JOB_SECONDS_MAX = 45.0
"""Shorter than a lease, so that no job goes on after its lease has ended."""

_log = structlog.get_logger("api.jobs")


class Runner:
    """Looks for due work each second, and at once when a transaction of this process made some due."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for work at once."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more work; what is under way is finished."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped."""
        are_dates_expected = False
        while not self._stopping:
            self._wake.clear()
            try:
                await follow_sandbox_clock(self._ports)
                if not are_dates_expected:
                    await month_ends.expect_month_end(self._ports)
                    while await subscription_states.expect_renewals(self._ports):
                        pass
                    are_dates_expected = True
                await self.run_due(self._ports.now())
            except DatabaseUnavailable:
                _log.warning("the database did not answer")
            except Exception:
                _log.exception("looking for due work failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_SECONDS):
                    await self._wake.wait()

    async def run_due(self, until: datetime) -> None:
        """Do all that is due until then (product time). While nothing is, that costs two reads."""
        if await due_work.next_due(until) is not None:
            await asyncio.gather(*(self.drain(until) for _ in range(AT_ONCE)))
        if await holds.next_expiry(until) is not None:
            await self.expire()

    async def drain(self, until: datetime, kinds: tuple[str, ...] = tuple(JOBS)) -> int:
        """Do all that is due until then (product time); return how many pieces of work were done or tried."""
        done = 0
        while not self._stopping and (claim := await due_work.claim_next(self._ports, kinds, until)):
            await self._do(claim)
            done += 1
        return done

    async def expire(self) -> None:
        """Expire the holds of calls that were never reported."""
        while await holds.expire_holds(self._ports) >= holds.EXPIRED_AT_ONCE:
            pass

    async def _do(self, claim: due_work.Claim) -> None:
        try:
            async with asyncio.timeout(JOB_SECONDS_MAX):
                await JOBS[claim.kind](self._ports, claim)
        except due_work.Fenced:
            _log.warning("work was taken over by another process", kind=claim.kind)
        except Exception as error:
            _log.exception("due work failed", kind=claim.kind, key=claim.key, failures=claim.failures + 1)
            failures = claim.failures + 1
            is_over = failures >= FAILURES_MAX.get(claim.kind, due_work.FAILURES_MAX)
            retry_at = None if is_over else self._ports.now() + due_work.backoff(failures)
            await due_work.give_back(self._ports, claim, type(error).__name__, retry_at=retry_at)
