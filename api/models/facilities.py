"""Facilities, as an operator edits them."""

from __future__ import annotations

from tortoise import fields

from api.models.base import Row


class Facility(Row):
    """A jail or prison. `products` are the product codes that it offers."""

    code = fields.CharField(40, unique=True)
    name = fields.CharField(160)
    state = fields.CharField(2)
    time_zone = fields.CharField(40)
    products: fields.Field[list[str]] = fields.JSONField()

    class Meta:
        table = "facilities"
