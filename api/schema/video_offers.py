"""What a facility offers of video visits."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.domain.video_sessions import clock_time, video_session_terms
from api.schema.scalars import Money
from api.services.video_offers import Offer


@strawberry.type(description="Hours of a weekday in which visits are held, by the facility's clock.")
class VisitingHours:
    weekday: int = strawberry.field(description="1 is Monday, 7 is Sunday.")
    opens: str = strawberry.field(description='Like "09:00".')
    closes: str = strawberry.field(description='A visit is over by then; "24:00" is midnight.')


@strawberry.type(description="A length of visits.")
class VideoSessionLength:
    duration_minutes: int = strawberry.field(description="How long it lasts.")
    price: Money | None = strawberry.field(
        description="What one costs, before fees and taxes; null where only a plan covers it."
    )


@strawberry.type(description="When and how long video visits are held at a facility.")
class VideoSessionOffer:
    hours: list[VisitingHours] = strawberry.field(description="From Monday on; a day may have several, or none.")
    lengths: list[VideoSessionLength] = strawberry.field(description="The shortest first.")
    days_ahead_max: int = strawberry.field(description="How many days from now on one can be scheduled.")

    @staticmethod
    def of(offer: Offer, zone: str, now: datetime) -> VideoSessionOffer:
        terms = video_session_terms()
        prices = {minutes: offer.price_of(minutes, zone, now) for minutes in terms.lengths}
        return VideoSessionOffer(
            hours=[
                VisitingHours(weekday=each.weekday, opens=clock_time(each.opens), closes=clock_time(each.closes))
                for each in offer.openings
            ],
            lengths=[
                VideoSessionLength(duration_minutes=minutes, price=Money.of(price) if price is not None else None)
                for minutes, price in prices.items()
            ],
            days_ahead_max=terms.ahead_max.days,
        )
