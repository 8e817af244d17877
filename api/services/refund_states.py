"""A refund's state as it is read, told and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, read_json
from api.domain.refunds import RefundStatus

WITH_CARD = "select t.*, m.brand, m.last4 from refunds t left join payment_methods m on m.id = t.payment_method_id"

_SHOWN = (
    "id", "account_id", "closure_id", "product", "status", "revision", "amount", "method", "brand", "last4",
    "based_on_channel", "requested_at", "window_earliest", "window_latest", "created_at",
)  # fmt: skip
_PLACE = ("city", "state", "zip")


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a refund's timeline: where it stands then, and `refunds.note_<note>`, filled by `params`.

    A parameter "cents" is shown as "{amount}".
    """

    status: RefundStatus
    note: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A refund's whole state (the shown columns of its row), where it stood before, and since when it stands there."""

    refund: Mapping[str, Any]
    previous: RefundStatus | None
    at: datetime


def refund_body(refund: Row, previous: RefundStatus | None, at: datetime) -> dict[str, Any]:
    """Return a refund's whole state as an event carries it. Of the address it holds what anybody is shown."""
    return {
        "refund": {name: _plain(refund[name]) for name in _SHOWN} | {"address": place_of(refund)},
        "previous": previous and previous.value,
        "at": at.isoformat(),
    }


def place_of(refund: Mapping[str, Any]) -> dict[str, str | None]:
    """Return city, state and ZIP of where a check goes to; None each where they were erased."""
    address = read_json(refund["address"]) or {}
    return {name: address.get(name) for name in _PLACE}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
