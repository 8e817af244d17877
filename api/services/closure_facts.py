"""What a closing depends on, read in one place: for the preview, and anew under the locks when it is carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, read_uuid
from api.adapters.ports import Ports
from api.domain.closures import Affected, Consequence, consequences
from api.domain.service_accounts import REFUNDABLE, Product
from api.services.closure_refunds import Estimate, estimate
from api.services.ledger import Balance
from api.services.video_sessions import sessions_to_void

PARTS = (
    "address", "balance", "services", "sessions", "invoices", "autopay", "textpay", "subscriptions", "stamps",
    "refunds",
)  # fmt: skip
"""What a preview is compared by; these names are what STALE says."""
_DIGEST_CHARACTERS = 16
_ROWS_AT_ONCE = 200
_ADDRESS = ("line1", "line2", "city", "state", "zip", "country", "address_revision")
_LASTING = "('ACTIVE', 'PAST_DUE', 'CANCEL_SCHEDULED')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a closing touches, as it stands. `service_account_id` is None for a deletion of the whole account."""

    account: Row
    service_account_id: UUID | None
    services: Sequence[Row]
    balances: Mapping[UUID, Balance]
    auto_pays: Sequence[Row]
    text_pays: Sequence[Row]
    subscriptions: Sequence[Row]
    sessions: Sequence[Row]
    invoices: Sequence[Row]
    estimates: Sequence[Estimate]

    @property
    def stamps(self) -> int:
        """How many stamps would be lost."""
        return sum(balance.posted for balance in self.balances.values() if balance.product is Product.EMESSAGING)

    @property
    def consequences(self) -> tuple[Consequence, ...]:
        """What the holder must acknowledge."""
        products = {Product(row["product"]) for row in self.services}
        return consequences(
            Affected(
                is_deletion=self.service_account_id is None,
                has_advance_connect=Product.ADVANCE_CONNECT in products,
                has_direct_bill=Product.DIRECT_BILL in products,
                has_debit=Product.DEBIT in products,
                has_auto_or_text_pay=bool(self.auto_pays or self.text_pays),
                stamps=self.stamps,
                video_sessions=len(self.sessions),
                subscriptions=len(self.subscriptions),
            )
        )

    @property
    def not_refundable(self) -> tuple[Product, ...]:
        """The products among them whose money does not come back, in the order of their declaration (rule 25)."""
        products = {Product(row["product"]) for row in self.services} - REFUNDABLE
        return tuple(product for product in Product if product in products)

    def digests(self) -> dict[str, str]:
        """Return a short digest of each part, which is the same as long as nothing of the part has changed."""
        parts: dict[str, Any] = {
            "address": [self.account[name] for name in _ADDRESS],
            "balance": sorted([str(key), balance.revision] for key, balance in self.balances.items()),
            "services": sorted([str(read_uuid(row["id"])), row["product"], row["status"]] for row in self.services),
            "sessions": sorted([str(read_uuid(row["id"])), row["status"]] for row in self.sessions),
            "invoices": sorted([str(read_uuid(row["id"])), row["status"], row["due"]] for row in self.invoices),
            "autopay": _top_ups(self.auto_pays),
            "textpay": _top_ups(self.text_pays),
            "subscriptions": sorted([str(read_uuid(row["id"])), row["status"]] for row in self.subscriptions),
            "stamps": self.stamps,
            "refunds": [str(found) for found in self.estimates],
        }
        assert tuple(parts) == PARTS
        return {name: _digest(part) for name, part in parts.items()}


async def read_facts(
    ports: Ports,
    account: Row,
    service_account_id: UUID | None,
    services: Sequence[Row],
    balances: Mapping[UUID, Balance],
    now: datetime,
) -> Facts:
    """Read what closing these services would touch; the same function for the preview and for the closing itself.

    `balances` are those of the services that have one, by service; locked when it is to be carried out.
    """
    keys = [read_uuid(row["id"]) for row in services]
    estimates: list[Estimate] = []
    for row in services:
        balance = balances.get(read_uuid(row["id"]))
        if balance is not None and Product(row["product"]) in REFUNDABLE:
            estimates += await estimate(ports, account, row, balance, now)
    return Facts(
        account=account,
        service_account_id=service_account_id,
        services=services,
        balances=balances,
        auto_pays=await _of_services("auto_pays", keys, "and state <> 'TERMINATED'"),
        text_pays=await _of_services("text_pays", keys, "and state <> 'TERMINATED'"),
        subscriptions=await _subscriptions(account, services if service_account_id else None),
        sessions=await sessions_to_void(keys, now),
        invoices=await _of_services("invoices", keys, "and status in ('OPEN', 'PAST_DUE')"),
        estimates=estimates,
    )


async def open_services(account_id: UUID, service_account_id: UUID | None) -> Sequence[Row]:
    """Return an account's open services, or the one if it is open, oldest first."""
    if service_account_id is not None:
        return await fetch(
            "select * from service_accounts where account_id = $1 and status = 'ACTIVE' and id = $2",
            account_id, service_account_id,
        )  # fmt: skip
    # None may be left out: it would stay usable, and its money with it. There is one Debit account a person.
    found: list[Row] = []
    while True:
        last = " and id > $2" if found else ""
        rows = await fetch(
            f"select * from service_accounts where account_id = $1 and status = 'ACTIVE'{last}"
            f" order by id limit {_ROWS_AT_ONCE}",
            account_id, *([read_uuid(found[-1]["id"])] if found else []),
        )  # fmt: skip
        found += rows
        if len(rows) < _ROWS_AT_ONCE:
            return found


async def balances_of(services: Sequence[Row], *, lock: bool) -> dict[UUID, Balance]:
    """Return the balances of services by their service; with `lock` they are locked, in the order of their ids."""
    keys = [read_uuid(row["id"]) for row in services]
    if not keys:
        return {}
    rows = await fetch(
        f"select * from balances where service_account_id in ({_places(keys)}) order by id"
        + (" for update" if lock else ""),
        *keys,
    )
    return {read_uuid(row["service_account_id"]): Balance.of(row) for row in rows}


async def _of_services(table: str, keys: Sequence[UUID], more: str) -> Sequence[Row]:
    if not keys:
        return []
    return await fetch(
        f"select * from {table} where service_account_id in ({_places(keys)}) {more} order by id limit 1000", *keys
    )


async def _subscriptions(account: Row, services: Sequence[Row] | None) -> Sequence[Row]:
    """Return the subscriptions that would end: all of the account's, or those to plans of these services' products."""
    products = sorted({row["product"] for row in services}) if services is not None else []
    places = ", ".join(f"${n + 2}" for n in range(len(products)))
    return await fetch(
        "select s.* from plan_subscriptions s join plans p on p.id = s.plan_id where s.account_id = $1"
        f" and s.status in {_LASTING}" + (f" and p.product in ({places})" if products else "")
        + " order by s.id limit 1000",
        read_uuid(account["id"]), *products,
    )  # fmt: skip


def _top_ups(rows: Sequence[Row]) -> list[list[Any]]:
    return sorted([str(read_uuid(row["id"])), row["state"], row["threshold"], row["amount"]] for row in rows)


def _digest(part: Any) -> str:
    text = json.dumps(part, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _places(keys: Sequence[UUID]) -> str:
    return ", ".join(f"${n + 1}" for n in range(len(keys)))
