"""What the flows of renewals ask, and their scene: a plan that was begun at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.adapters.database import fetch
from api.domain.ids import NodeKind, key_of
from api.domain.service_accounts import Product
from api.services import due_work, sandbox
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import ERRORS, count
from tests.flows.paying import place, plan, quote_for, subscribe

DENVER = "America/Denver"
DAY = timedelta(days=1)
SUBSCRIPTION = """id status price { amount } currentPeriodStart currentPeriodEnd renewsAt accessUntil includedCallsLeft
  paymentMethod { id last4 }"""
MINE = f"""{{ me {{ subscriptions {{ {SUBSCRIPTION} }} payments(first: 100) {{ edges {{ node {{
  status channel purpose declineReason amount {{ amount }} total {{ amount }} }} }} }} }} }}"""
SET_CARD = f"""mutation($id: ID!, $card: ID!) {{
  setSubscriptionPaymentMethod(subscriptionId: $id, paymentMethodId: $card) {{
    subscription {{ {SUBSCRIPTION} }} {ERRORS} }} }}"""
CHANGED = "subscription { subscriptionChanged { subscription { status currentPeriodEnd renewsAt } } }"


def local(text: str, zone: str = DENVER) -> datetime:
    """Return an instant by a facility's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class Scene:
    """A holder who subscribed to a plan, once, by one card."""

    def __init__(self, service: Service, holder: Holder, plan_id: str, card: str) -> None:
        self.service, self.holder, self.plan_id, self.card = service, holder, plan_id, card

    async def until(self, moment: datetime) -> None:
        """Move the clock to a moment, as the sandbox does, and do all that falls due on the way."""
        by = moment - self.service.ports.now()
        await sandbox.advance(self.service.ports, by, self.service.runner.run_due)
        await self.settle()

    async def ends(self) -> datetime:
        """Return when the paid month ends."""
        return datetime.fromisoformat((await self.read())["currentPeriodEnd"])

    async def renew(self) -> datetime:
        """Move the clock to the moment at which the plan renews; return it."""
        moment = await self.ends()
        await self.until(moment)
        return moment

    async def stand_before(self) -> datetime:
        """Move the clock to a minute before the plan renews, then past that without doing any work; return the moment
        at which it renews."""
        moment = await self.ends()
        await self.until(moment - timedelta(minutes=1))
        await self.service.advance(timedelta(minutes=1, seconds=1))
        return moment

    async def settle(self) -> None:
        """Do all that is due, and what that makes due."""
        for _ in range(5):
            await self.service.work()
            if await due_work.next_due(self.service.ports.now()) is None:
                return

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask as the holder, signed in anew since months pass; return the data."""
        self.holder = await factories.begin_again(self.holder)
        return await self.service.ask(document, variables, token=self.holder.token)

    async def read(self) -> dict[str, Any]:
        """Return the subscription as its holder sees it."""
        (found,) = (await self.ask(MINE))["me"]["subscriptions"]
        return dict(found)

    async def payments(self) -> list[dict[str, Any]]:
        """Return the payments as their holder sees them, newest first."""
        return [edge["node"] for edge in (await self.ask(MINE))["me"]["payments"]["edges"]]

    async def set_card(self, card: str) -> dict[str, Any]:
        """Choose the card that renewals charge; return the payload."""
        payload: dict[str, Any] = (await self.ask(SET_CARD, id=(await self.read())["id"], card=card))[
            "setSubscriptionPaymentMethod"
        ]
        return payload

    async def subjects(self) -> list[str]:
        """Return the subjects of the mails that the holder has got by now but receipts, oldest first."""
        mails = await self.service.mails(self.holder.email)
        return [mail.subject for mail in reversed(mails) if not mail.subject.startswith(("Receipt", "Recibo"))]

    async def charged(self) -> int:
        """Return how often the processor has captured money."""
        return await self.service.processor.captured_cents() // 2_999

    @property
    def plan_key(self) -> UUID:
        """The key behind the plan's id."""
        key = key_of(self.plan_id, NodeKind.PLAN)
        assert key is not None
        return key


async def begun(
    service: Service,
    at: datetime | None = None,
    *,
    token: str = "tok_visa",
    locale: str = "en",
    zone: str = DENVER,
    included_calls: int | None = None,
    email: str = "ann@mail.test",
) -> Scene:
    """Return a scene whose plan, of $29.99 a month, was begun at a moment, or now."""
    if at is not None:
        await service.advance(at - service.ports.now())
    ann = await factories.holder(service, email, locale)
    product = Product.VIDEO_CONNECT if included_calls is None else Product.ADVANCE_CONNECT
    plan_id = await plan(await place(zone=zone), product=product, included_calls=included_calls)
    quoted = (await quote_for(service, ann, "SUBSCRIPTION", planId=plan_id))["quote"]["id"]
    card = await ann.card()
    payload = await subscribe(service, ann, quoted, card)
    assert payload["errors"] == [], payload
    scene = Scene(service, ann, plan_id, card)
    if token != "tok_visa":
        # A first month that the card paid, and no other.
        other = await ann.card(token)
        assert (await scene.set_card(other))["errors"] == []
        scene.card = other
    await scene.settle()
    return scene


async def renewals() -> list[dict[str, Any]]:
    """Return the payments of renewals, in order: period, status, and what keeps them apart."""
    rows = await fetch("select period, status, renewal_key from payments where subscription_id is not null order by id")
    return [dict(row) for row in rows]


async def entries() -> int:
    """Return how many entries the ledger has."""
    return await count("journal_entries")
