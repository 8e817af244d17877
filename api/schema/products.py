"""Debit, eMessaging and VideoConnect, and which type each product has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import strawberry

from api.domain.payment_data import stamps
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product
from api.domain.video_sessions import VideoSessionStatus
from api.schema.direct_bill import DirectBillAccount
from api.schema.incarcerated_people import IncarceratedPerson
from api.schema.pages import After, Before, First, Last, page_request
from api.schema.payments import PaymentConnection
from api.schema.plans import PlanSubscription
from api.schema.scalars import Info, Money
from api.schema.service_accounts import AdvanceConnectAccount, ServiceAccount
from api.schema.video_sessions import OwedVideoSession, VideoSessionConnection
from api.services.incarcerated_people import person_of
from api.services.payments import deposits_page
from api.services.plans import subscriptions_of
from api.services.video_sessions import owed_sessions, sessions_page


@strawberry.type(
    description="Deposits for an incarcerated person. The money is theirs: no balance is shown, nothing is refundable "
    "to the payer."
)
class DebitAccount(ServiceAccount):
    @strawberry.field(description="Whose the deposits are.")
    async def recipient(self) -> IncarceratedPerson:
        return IncarceratedPerson.of(await person_of(self.key))

    @strawberry.field(description="The payments into it, newest first.")
    async def deposits(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> PaymentConnection:
        return PaymentConnection.of(await deposits_page(self.key, page_request(first, after, last, before)))


@strawberry.type(description="A number of stamps that can be bought at once.")
class StampPack:
    stamps: int = strawberry.field(description="What to send to `quotePayment` as `stamps`.")
    price: Money = strawberry.field(description="Before fees and taxes.")


@strawberry.type(description="Messages, paid with stamps.")
class EMessagingAccount(ServiceAccount):
    @strawberry.field(description="Stamps that are left.")
    async def stamps(self, info: Info) -> int:
        return (await info.context.balance_of(self.key)).posted

    @strawberry.field(description="The packs by which stamps are sold, the smallest first.")
    def stamp_packs(self) -> list[StampPack]:
        sold = stamps()
        return [StampPack(stamps=pack, price=Money.of(pack * sold.price)) for pack in sold.packs]


@strawberry.type(description="Video visits and monthly plans per facility.")
class VideoConnectAccount(ServiceAccount):
    @strawberry.field(description="Its visits, the latest first.")
    async def sessions(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        statuses: Annotated[
            list[VideoSessionStatus] | None,
            strawberry.argument(description="Only visits that stand so; all when left out or empty."),
        ] = None,
    ) -> VideoSessionConnection:
        page = await sessions_page(self.key, statuses, page_request(first, after, last, before))
        return VideoSessionConnection.of(page)

    @strawberry.field(
        description="Visits that were paid for when their time was gone; schedule others like them without a quote."
    )
    async def owed_sessions(self) -> list[OwedVideoSession]:
        return [OwedVideoSession.of(row) for row in await owed_sessions(self.key)]

    @strawberry.field(description="Subscriptions to plans of video visits, newest first; at most a hundred.")
    async def subscriptions(self, info: Info) -> list[PlanSubscription]:
        now = info.context.ports.now()
        rows = await subscriptions_of(self.account_key, list(SubscriptionStatus))
        return [PlanSubscription.of(row, now) for row in rows if row["p_product"] == self.product.value]


PRODUCTS: Mapping[Product, type[ServiceAccount]] = {
    Product.ADVANCE_CONNECT: AdvanceConnectAccount,
    Product.DIRECT_BILL: DirectBillAccount,
    Product.DEBIT: DebitAccount,
    Product.EMESSAGING: EMessagingAccount,
    Product.VIDEO_CONNECT: VideoConnectAccount,
}
