"""Facilities, what calls to them cost, and the people in custody there, as an operator edits them."""

from __future__ import annotations

from tortoise import fields

from api.models.base import Row, holds


class Facility(Row):
    """A jail or prison. `products` are the product codes that it offers."""

    code = fields.CharField(40, unique=True)
    name = fields.CharField(160)
    state = fields.CharField(2)
    time_zone = fields.CharField(40)
    products: fields.Field[list[str]] = fields.JSONField()

    class Meta:
        table = "facilities"


class Rate(Row):
    """Dollars per started minute of a call to a facility, from that day on, until a later row says otherwise."""

    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="rates"
    )
    per_minute = fields.DecimalField(8, 4)
    effective_from = fields.DateField()

    class Meta:
        table = "rates"
        constraints = [holds("rates_per_minute", "per_minute >= 0")]


class IncarceratedPerson(Row):
    """A person in custody. `number` and `name_key`, of the last name, are kept as they are compared, see
    domain/incarcerated_people."""

    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="people"
    )
    number = fields.CharField(40)
    first_name = fields.CharField(80)
    last_name = fields.CharField(80)
    name_key = fields.CharField(80)

    class Meta:
        table = "incarcerated_people"
