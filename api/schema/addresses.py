"""Postal addresses."""

from __future__ import annotations

import strawberry

from api.adapters.database import Row


@strawberry.type(description="A postal address.")
class Address:
    line1: str = strawberry.field(description="Street and number, or PO box.")
    line2: str | None = strawberry.field(description="Apartment, unit or the like; null where there is none.")
    city: str = strawberry.field(description="City or town.")
    state: str = strawberry.field(description='In the United States the two-letter code ("TX"); elsewhere any text.')
    zip: str = strawberry.field(description="ZIP code, with 5 or 9 digits; elsewhere the postal code.")
    country: str = strawberry.field(description='ISO 3166-1 code with two letters: "US", "CA", "MX".')
    revision: int = strawberry.field(
        description="Grows with each change; deleting the account wants the one that the holder saw."
    )

    @staticmethod
    def of(row: Row) -> Address:
        return Address(
            line1=row["line1"],
            line2=row["line2"],
            city=row["city"],
            state=row["state"],
            zip=row["zip"],
            country=row["country"],
            revision=row["address_revision"],
        )
