"""A state's rule closes what was not used for long: notice, the holder's no, closing, refund, held funds (rule 26)."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.adapters.database import execute, fetch
from api.domain.accounts import Role
from api.domain.days import day_of
from api.domain.texts import LOCALES
from api.routes.keep_active_page import keep_active_routes
from api.services import due_work, inactivity, month_ends
from api.services.inactivity_plans import WORK_KIND
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.closing import BY_RECEIPT, CLOSURE
from tests.flows.conftest import Service
from tests.flows.money import authorize
from tests.flows.money_back import CLAIM, HELD, activity, differences, go_to, paid, refunds, staff, statuses

pytestmark = pytest.mark.rule("26")

DAY = timedelta(days=1)
NM = {"line1": "7 Oak Street", "city": "Santa Fe", "state": "NM", "zip": "87501", "country": "US"}
TX = {"line1": "12 Elm Street", "city": "Dallas", "state": "TX", "zip": "75201", "country": "US"}
INACTIVITY = """{ me { serviceAccounts { id status ... on AdvanceConnectAccount { inactivity {
  lastActivityAt closesOn noticeSentAt rule { state days effectiveFrom citation } } } } } }"""
CLOSURES = f"{{ me {{ closures {{ {CLOSURE} }} }} }}"
KEEP = """mutation($id: ID!) { keepActive(serviceAccountId: $id) {
  serviceAccount { id status } errors { code path } } }"""
MOVE = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { errors { code path } } }"
REPORT = """query($from: Date!, $to: Date!) { staff { inactivityReport(from: $from, to: $to) {
  states { state accountsClosed amount { amount } paidOut { amount } held { amount } disposed { amount }
    allHeldCount allHeld { amount } }
  closings { edges { node { state number noticeSentAt closedAt amount { amount } held { amount } } } } } } }"""
RULES = "{ inactivityRules { state days effectiveFrom citation } }"
NOTICES = {"Your prepaid calling account will close on", "Su cuenta de llamadas prepagadas se cerrará el"}


@dataclass
class Case:
    """A holder in New Mexico with an AdvanceConnect service, opened on `since`, a Central day."""

    service: Service
    ann: Holder
    opened: Opened
    since: date

    async def standing(self) -> dict[str, Any]:
        """Return `inactivity` of the newest service, and its status."""
        ann = await factories.begin_again(self.ann)
        found = (await self.service.ask(INACTIVITY, token=ann.token))["me"]["serviceAccounts"][-1]
        return {**found["inactivity"], "status": found["status"]}

    async def on(self, days: int) -> None:
        """Move the clock to the start of the Central day so many days after the opening."""
        await go_to(self.service, self.since + days * DAY)

    async def keep(self) -> dict[str, Any]:
        """Ask to keep the service; return the payload."""
        ann = await factories.begin_again(self.ann)
        payload: dict[str, Any] = (await self.service.ask(KEEP, {"id": self.opened.id}, token=ann.token))["keepActive"]
        return payload

    async def move(self, address: dict[str, str]) -> None:
        """Change the address on record."""
        ann = await factories.begin_again(self.ann)
        data = await self.service.ask(MOVE, {"input": {"address": address}}, token=ann.token)
        assert data["updateProfile"]["errors"] == []

    async def notices(self) -> list[str]:
        """Return the days that notices named, oldest first."""
        mails = await self.service.mails(self.ann.email)
        return [mail.subject.rsplit(" ", 1)[1] for mail in reversed(mails) if mail.subject.rsplit(" ", 1)[0] in NOTICES]

    async def closures(self) -> list[dict[str, Any]]:
        """Return the holder's closings."""
        ann = await factories.begin_again(self.ann)
        found: list[dict[str, Any]] = (await self.service.ask(CLOSURES, token=ann.token))["me"]["closures"]
        return found

    def day(self, days: int) -> str:
        """Return the Central day so many days after the opening."""
        return (self.since + days * DAY).isoformat()


async def resident(service: Service, state: str = "NM", locale: str = "en") -> Holder:
    ann = await factories.holder(service, locale=locale)
    await execute(
        "update accounts set state = $1, city = 'Santa Fe', zip = '87501' where id = $2", state, ann.account_id
    )
    return ann


async def case_of(service: Service, cents: int = 0, state: str = "NM", locale: str = "en") -> Case:
    ann = await resident(service, state, locale)
    return Case(service, ann, await ann.advance_connect(cents), day_of(service.ports.now()))


@pytest.fixture
async def case(service: Service) -> Case:
    """Return a service with ten dollars that no card was charged for."""
    return await case_of(service, 1_000)


async def test_everybody_reads_the_rule_of_new_mexico_that_ships(service: Service) -> None:
    (rule,) = (await service.ask(RULES))["inactivityRules"]

    assert (rule["state"], rule["days"], rule["effectiveFrom"]) == ("NM", 180, "2023-05-01")
    assert "New Mexico" in rule["citation"]


async def test_a_service_shows_when_the_rule_of_the_holders_state_closes_it(case: Case) -> None:
    found = await case.standing()

    assert (found["closesOn"], found["rule"]["state"], found["noticeSentAt"]) == (case.day(180), "NM", None)
    assert day_of(datetime.fromisoformat(found["lastActivityAt"])) == case.since


async def test_no_rule_closes_a_service_where_the_holders_state_has_none(service: Service) -> None:
    case = await case_of(service, 1_000, state="TX")

    await case.on(400)

    found = await case.standing()
    assert (found["closesOn"], found["rule"], found["status"]) == (None, None, "ACTIVE")
    assert (await case.notices(), await fetch("select id from due_work where kind = $1", WORK_KIND)) == ([], [])


@pytest.mark.parametrize("locale", LOCALES)
async def test_thirty_days_before_the_holder_is_told_and_the_link_alone_changes_nothing(
    service: Service, locale: str
) -> None:
    case = await case_of(service, locale=locale)
    await case.on(149)
    before = await case.notices()

    await case.on(150)

    assert (before, await case.notices()) == ([], [case.day(180)])
    found = await case.standing()
    assert (found["closesOn"], day_of(datetime.fromisoformat(found["noticeSentAt"]))) == (
        case.day(180), case.since + 150 * DAY,
    )  # fmt: skip
    (mail,) = [mail for mail in await service.mails(case.ann.email) if mail.subject.rsplit(" ", 1)[0] in NOTICES]
    link = re.search(r"https://calls\.example/keep-active\?token=(\S+)", mail.text)
    assert link
    assert await inactivity.service_of_link(service.ports, link[1])
    assert (await case.standing())["noticeSentAt"] is not None

    assert await inactivity.keep_by_link(service.ports, link[1])

    kept = await case.standing()
    assert (kept["closesOn"], kept["noticeSentAt"]) == (case.day(330), None)
    await case.on(299)
    assert await case.notices() == [case.day(180)]
    await case.on(330)
    assert (await case.standing())["status"] == "CLOSING"
    assert not await inactivity.keep_by_link(service.ports, link[1])


@pytest.mark.parametrize(("language", "button"), [("en", "Keep my account open"), ("es", "Mantener abierta mi cuenta")])
async def test_the_links_page_asks_for_a_click_and_the_click_keeps_it(case: Case, language: str, button: str) -> None:
    await case.on(150)
    mails = [mail.text for mail in await case.service.mails(case.ann.email)]
    path = next(found[1] for text in mails if (found := re.search(r"https://calls\.example(/keep-active\S+)", text)))
    app = Starlette(routes=keep_active_routes(case.service.ports))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)
    async with client as browser:
        browser.headers["accept-language"] = language
        shown = await browser.get(path)
        told = (await case.standing())["noticeSentAt"]
        token = html.unescape(re.findall(r'name="token" value="([^"]*)"', shown.text)[0])
        kept = await browser.post("/keep-active", data={"token": token})
        after = await case.standing()
        forged = [await browser.post("/keep-active", data={"token": text}) for text in ("", token[:-1] + "!", "<b>")]
        await case.on(330)
        ended = [await browser.get(path), await browser.post("/keep-active", data={"token": token})]

    assert (shown.status_code, kept.status_code, button in shown.text) == (200, 200, True)
    assert (told is not None, after["noticeSentAt"], after["closesOn"]) == (True, None, case.day(330))
    assert [page.status_code for page in forged + ended] == [404] * 5
    assert "<b>" not in forged[2].text


@pytest.mark.parametrize("token", ["", "nonsense", "0" * 32 + ".x", "ü" * 40, "a" * 500])
async def test_a_link_that_is_not_ours_keeps_nothing(case: Case, token: str) -> None:
    assert not await inactivity.keep_by_link(case.service.ports, token)
    assert not await fetch("select id from activeness")


async def test_the_holder_keeps_it_and_the_days_count_anew(case: Case) -> None:
    await case.on(160)

    kept, again = await case.keep(), await case.keep()

    assert (kept["errors"], again["errors"], kept["serviceAccount"]["status"]) == ([], [], "ACTIVE")
    found = await case.standing()
    assert (found["closesOn"], found["noticeSentAt"]) == (case.day(340), None)
    assert [act for act, _, _ in await activity(case.ann)].count("service_kept") == 1
    await case.on(339)
    assert ((await case.standing())["status"], await case.notices()) == ("ACTIVE", [case.day(180), case.day(340)])


async def test_what_is_somebody_elses_another_product_or_closed_is_not_kept(case: Case) -> None:
    ben = await factories.holder(case.service, "ben@mail.test")
    other = (await case.service.ask(KEEP, {"id": case.opened.id}, token=ben.token))["keepActive"]
    await execute("update service_accounts set product = 'DIRECT_BILL' where id = $1", case.opened.key)
    product = await case.keep()
    await execute("update service_accounts set product = 'ADVANCE_CONNECT', status = 'CLOSED'")
    closed = await case.keep()

    codes = [[error["code"] for error in payload["errors"]] for payload in (other, product, closed)]
    assert codes == [["NOT_FOUND"], ["INVALID"], ["ACCOUNT_CLOSED"]]


@pytest.mark.parametrize("act", ["deposit", "call"])
async def test_a_deposit_or_a_call_after_the_notice_keeps_it(case: Case, act: str) -> None:
    await case.on(170)
    if act == "deposit":
        await factories.fund(case.service.ports, case.opened.key, 500)
    else:
        answer = await authorize(case.service, await factories.switch_key(case.service), case.opened.phone)
        assert answer["maxSeconds"] > 0

    found = await case.standing()
    await case.on(349)

    assert (found["closesOn"], found["noticeSentAt"]) == (case.day(350), None)
    assert (await case.standing())["status"] == "ACTIVE"
    await case.on(350)
    assert ((await case.standing())["status"], await case.notices()) == ("CLOSING", [case.day(180), case.day(350)])


async def test_a_call_that_was_refused_is_no_activity(service: Service) -> None:
    case = await case_of(service)
    await case.on(100)

    answer = await authorize(service, await factories.switch_key(service), case.opened.phone)

    assert (answer["maxSeconds"], (await case.standing())["closesOn"]) == (0, case.day(180))


async def test_the_180th_day_closes_it_as_its_holder_would(case: Case) -> None:
    await case.on(180)

    (closure,) = await case.closures()
    found = await case.standing()
    assert (closure["kind"], closure["status"], closure["requestedVia"]) == ("INACTIVITY", "SETTLING_CALLS", "SYSTEM")
    assert (found["status"], found["closesOn"], found["rule"]) == ("CLOSING", None, None)
    assert "Your service is being closed" in [mail.subject for mail in await case.service.mails(case.ann.email)]
    assert ("service_closed_unused", "system", {}) in await activity(case.ann)
    await case.on(182)
    (refund,) = await refunds(case.service, case.ann)
    assert (refund["status"], refund["amount"], refund["method"]) == ("SUBMITTED", "10.00", "CHECK")


async def test_nothing_is_due_where_nothing_is_left(service: Service) -> None:
    case = await case_of(service)

    await case.on(182)

    (closure,) = await case.closures()
    assert (closure["status"], [refund["status"] for refund in closure["refunds"]]) == ("COMPLETED", ["NOTHING_DUE"])


@pytest.mark.rule("23", "27a")
async def test_refused_by_the_card_and_returned_by_mail_the_money_is_held_seen_by_receipt_and_claimed(
    service: Service,
) -> None:
    case = await case_of(service)
    kept = await service.passwords.hash_short("passcode", "2468")
    await execute("update accounts set passcode_hash = $1 where id = $2", kept, case.ann.account_id)
    await paid(service, case.ann, case.opened, "25.00", await case.ann.card("tok_refund_refused"))

    await case.on(183)

    card, check = await refunds(service, case.ann)
    assert (statuses(card)[-1], check["method"], check["amount"]) == ("REROUTED", "CHECK", "25.00")
    token = await staff(service, Role.ADMIN)
    await held_back(service, check["id"], token)
    mails = [mail.text for mail in await service.mails(case.ann.email) if "/closure?receipt=" in mail.text]
    receipt = re.findall(r"receipt=(\S+)", mails[-1])[0]
    seen = (await service.ask(BY_RECEIPT, {"token": receipt}))["closureByReceipt"]
    assert (seen["kind"], [held["amount"]["amount"] for held in seen["heldFunds"]]) == ("INACTIVITY", ["25.00"])
    (held,) = (await service.ask(HELD, token=(await factories.begin_again(case.ann)).token))["me"]["heldFunds"]
    assert (held["claimable"], date.fromisoformat(held["dispositionOn"]) > case.since) == (True, True)
    sums = await report(service, token, case.day(0), case.day(400))
    assert sums["states"] == [totals(1, amount="25.00", held="25.00", count=1, all_held="25.00")]

    given = {"heldFundsId": held["id"], "receiptToken": receipt, "passcode": "2468", "idempotencyKey": "claim"}
    address = {name: NM[name] for name in ("line1", "city", "state", "zip")}
    claimed = (await service.ask(CLAIM, {"input": {**given, "address": address}}))["claimHeldFunds"]

    assert (claimed["errors"], claimed["refund"]["amount"]["amount"]) == ([], "25.00")
    assert (await report(service, token, case.day(0), case.day(400)))["states"] == [totals(1, amount="25.00")]
    assert await differences() == ()


async def held_back(service: Service, refund_id: str, token: str) -> None:
    """Have a check mailed and come back."""
    update = """mutation($id: ID!, $to: RefundStatus!) { staffUpdateRefund(refundId: $id, status: $to) {
      errors { code } } }"""
    payload = (await service.ask(update, {"id": refund_id, "to": "HELD"}, token=token))["staffUpdateRefund"]
    assert payload["errors"] == []


async def report(service: Service, token: str, since: str, until: str) -> dict[str, Any]:
    data = await service.ask(REPORT, {"from": since, "to": until}, token=token)
    found: dict[str, Any] = data["staff"]["inactivityReport"]
    return found


def totals(closed: int, **sums: Any) -> dict[str, Any]:
    count = sums.pop("count", 0)
    amounts = {"amount": "0.00", "paid_out": "0.00", "held": "0.00", "disposed": "0.00", "all_held": "0.00", **sums}
    named = {"paidOut": amounts.pop("paid_out"), "allHeld": amounts.pop("all_held"), **amounts}
    return {
        "state": "NM", "accountsClosed": closed, "allHeldCount": count,
        **{name: {"amount": amount} for name, amount in named.items()},
    }  # fmt: skip


@pytest.mark.rule("39")
async def test_the_report_is_of_the_period_and_for_compliance_alone(case: Case) -> None:
    await case.on(183)
    compliance, billing = await staff(case.service, Role.COMPLIANCE), await staff(case.service, Role.BILLING_AGENT)

    found = await report(case.service, compliance, case.day(180), case.day(180))
    others = [
        await report(case.service, compliance, *days)
        for days in ((case.day(0), case.day(179)), (case.day(181), case.day(400)), (case.day(400), case.day(0)))
    ]

    assert found["states"] == [totals(1, amount="10.00")]
    (edge,) = found["closings"]["edges"]
    assert (edge["node"]["state"], edge["node"]["amount"]["amount"]) == ("NM", "10.00")
    assert day_of(datetime.fromisoformat(edge["node"]["noticeSentAt"])) == case.since + 150 * DAY
    assert [(other["states"], other["closings"]["edges"]) for other in others] == [([], [])] * 3
    result = await case.service.run(REPORT, {"from": case.day(0), "to": case.day(400)}, token=billing)
    assert {error.extensions["code"] for error in result.errors or ()} == {"FORBIDDEN"}


@pytest.mark.parametrize(
    ("opened", "notice", "closes"),
    [
        (date(2027, 9, 2), date(2028, 1, 30), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2028, 7, 27), date(2028, 8, 27)),
    ],
    ids=["closes on the leap day", "opened on the leap day"],
)
async def test_a_leap_day_counts_like_any_other(service: Service, opened: date, notice: date, closes: date) -> None:
    await go_to(service, opened)
    case = await case_of(service)
    assert (await case.standing())["closesOn"] == (opened + 180 * DAY).isoformat() == closes.isoformat()

    await go_to(service, closes)

    (row,) = await fetch("select noticed_at from activeness")
    assert day_of(as_time(row["noticed_at"])) == closes - 30 * DAY
    assert (await case.standing())["status"] == "CLOSING"


async def test_a_year_in_one_step_gives_the_notice_and_then_closes_in_order_of_time(case: Case) -> None:
    await case.on(365)

    (closure,) = await fetch("select requested_at, completed_at from closures")
    (row,) = await fetch("select noticed_at from activeness")
    assert (day_of(as_time(row["noticed_at"])) - case.since, day_of(as_time(closure["requested_at"])) - case.since) == (
        150 * DAY, 180 * DAY,
    )  # fmt: skip
    assert (await case.standing())["status"] == "CLOSED"
    assert await differences() == ()


async def test_a_notice_that_comes_late_still_gives_thirty_days(case: Case) -> None:
    await case.service.advance(200 * DAY)
    late = await case.standing()

    await case.service.work()

    today = day_of(case.service.ports.now())
    assert (late["closesOn"], await case.notices()) == (
        (today + 30 * DAY).isoformat(),
        [(today + 30 * DAY).isoformat()],
    )
    await go_to(case.service, today + 29 * DAY)
    assert (await case.standing())["status"] == "ACTIVE"
    await go_to(case.service, today + 30 * DAY)
    assert (await case.standing())["status"] == "CLOSING"


async def test_who_moves_away_is_not_closed_and_who_moves_back_is_told_anew(case: Case) -> None:
    await case.on(160)
    await case.move(TX)
    away = await case.standing()
    await case.on(240)
    still = await case.standing()

    await case.move(NM)
    back = await case.standing()
    await case.service.work()

    assert (away["closesOn"], away["rule"], away["noticeSentAt"]) == (None, None, None)
    assert (still["status"], back["closesOn"]) == ("ACTIVE", case.day(270))
    assert await case.notices() == [case.day(180), case.day(270)]
    await case.on(269)
    assert (await case.standing())["status"] == "ACTIVE"
    await case.on(270)
    assert (await case.standing())["status"] == "CLOSING"


async def test_a_rule_that_an_operator_edits_counts_from_the_next_first_of_a_month(service: Service) -> None:
    case = await case_of(service, state="TX")
    await execute("update inactivity_rules set state = 'TX', days = 40")
    await month_ends.expect_month_end(service.ports)

    await case.on(32)
    told = await case.notices()
    await case.on(90)

    assert len(told) == 1
    assert (await case.standing())["status"] == "CLOSED"


async def test_a_deposit_that_is_under_way_puts_the_closing_off(case: Case) -> None:
    await case.on(179)
    await execute("update balances set incoming = 500, revision = revision + 1")
    await case.on(181)
    waiting = await case.standing()
    await execute("update balances set incoming = 0, revision = revision + 1")

    await case.on(182)

    assert (waiting["status"], (await case.standing())["status"]) == ("ACTIVE", "CLOSING")


@pytest.mark.rule("28")
async def test_a_plan_whose_renewal_is_under_way_puts_the_closing_off_and_ends_with_it(case: Case) -> None:
    await case.on(179)
    await factories.subscription(case.service, case.ann.account_id)
    await execute("update plans set product = 'ADVANCE_CONNECT'")
    await execute("update plan_subscriptions set renewal_id = id")
    await case.on(181)
    waiting, given_up = await case.standing(), await fetch("select kind from due_work where failures > 0")
    await execute("update plan_subscriptions set renewal_id = null")

    await case.on(182)

    assert (waiting["status"], list(given_up), (await case.standing())["status"]) == ("ACTIVE", [], "CLOSING")
    (row,) = await fetch("select status from plan_subscriptions")
    assert row["status"] == "CANCELLED_BY_CLOSURE"


async def test_of_workers_at_once_one_closes_and_the_holders_no_comes_before_or_after_as_a_whole(case: Case) -> None:
    await case.on(179)
    await case.service.advance(DAY)
    now = case.service.ports.now()
    claim = await due_work.claim_next(case.service.ports, (WORK_KIND,), now)
    assert claim is not None
    stale = replace_attempt(claim)

    results = await asyncio.gather(
        inactivity.look(case.service.ports, claim), inactivity.look(case.service.ports, stale), case.keep(),
        return_exceptions=True,
    )  # fmt: skip

    closures, status = await case.closures(), (await case.standing())["status"]
    refused = [error["code"] for error in results[2]["errors"]]  # type: ignore[index]
    assert isinstance(results[1], due_work.Fenced)
    assert (len(closures), status, refused) in [(0, "ACTIVE", []), (1, "CLOSING", ["ACCOUNT_CLOSED"])]


def replace_attempt(claim: due_work.Claim) -> due_work.Claim:
    """Return a claim that another process has taken over."""
    return claim._replace(attempt=claim.attempt - 1)


def as_time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).astimezone(UTC)
