"""The export of all that is kept about a holder: JSON behind a signed link that lives for minutes (issue D, item 9)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_json, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.closing_data import closing_data

_PURPOSE = "data-export"
ROWS_AT_ONCE = 500
_LENGTH_MAX = 200

_SERVICES = "(select id from service_accounts where account_id = $1)"
_SECTIONS = {
    "services": "select id, product, number, status, opened_at, closed_at from service_accounts where account_id = $1",
    "phones": "select id, phone, label, blocked, added_at, removed_at from account_phones"
    f" where service_account_id in {_SERVICES}",
    "balances": "select id, service_account_id, product, unit, posted, held, incoming, changed_at from balances"
    " where account_id = $1 and product in ('ADVANCE_CONNECT', 'DIRECT_BILL', 'EMESSAGING')",
    "transactions": "select e.id, b.service_account_id, e.sequence, e.kind, e.amount, e.balance_after, e.occurred_at,"
    " e.posted_at from journal_entries e join balances b on b.id = e.balance_id where b.account_id = $1"
    " and b.product in ('ADVANCE_CONNECT', 'DIRECT_BILL', 'EMESSAGING')",
    "calls": "select id, service_account_id, phone, facility_id, status, rate_per_minute, started_at, ended_at,"
    f" duration_seconds, cost from calls where service_account_id in {_SERVICES}",
    "payments": "select id, service_account_id, purpose, channel, status, amount, total, created_at, settled_at"
    " from payments where account_id = $1",
    "cards": "select id, brand, last4, expiry_month, expiry_year, added_at, last_used_at, removed_at"
    " from payment_methods where account_id = $1",
    "auto_pay": "select id, service_account_id, state, threshold, amount, monthly_cap, set_at, ended_at from auto_pays"
    " where account_id = $1",
    "text_pay": "select id, service_account_id, phone, state, threshold, amount, set_at, ended_at from text_pays"
    " where account_id = $1",
    "subscriptions": "select id, plan_id, status, price, period_start, period_end, renews_at, access_until"
    " from plan_subscriptions where account_id = $1",
    "invoices": "select id, number, kind, status, statement_date, due_date, total, due, issued_at from invoices"
    " where account_id = $1",
    "closings": "select id, kind, status, requested_at, requested_via, completed_at from closures"
    " where account_id = $1",
    "refunds": "select id, closure_id, product, status, amount, method, created_at, ended_at from refunds"
    " where account_id = $1",
    "held_funds": "select id, state, amount, cause, held_since, disposition_on, ended_at from held_funds"
    " where account_id = $1",
    "consents": "select id, kind, version, locale, agreed_at, channel from consents where account_id = $1",
    "security_questions": "select id, question_code from security_answers where account_id = $1",
    "notification_preferences": "select id, topic, channels, changed_at from notification_preferences"
    " where account_id = $1",
    "sign_ins": "select id, device, channel, created_at, last_seen_at, ended_at from sign_ins where account_id = $1",
    "activity": "select id, at, action, actor, channel, params from activity where account_id = $1",
}
"""What is kept, by section; never a hash, a token or a secret. Amounts are in cents, of stamps their number."""
_PROFILE = (
    "id", "status", "email", "email_verified_at", "first_name", "last_name", "phone", "line1", "line2", "city", "state",
    "zip", "country", "locale", "terms_version", "terms_agreed_at", "password_changed_at", "created_at",
)  # fmt: skip
_JSON = ("params", "channels")


def export_url(ports: Ports, account_id: UUID) -> str:
    """Return a link to all that is kept about an account's holder, good for some minutes, for whoever has it."""
    until = int((ports.now() + closing_data().export).timestamp())
    name = f"{account_id.hex}.{until}"
    return f"{ports.public_url}/export?token={name}.{ports.secrets.token(_PURPOSE, name)}"


async def export_of(ports: Ports, token: str) -> AsyncIterator[str] | None:
    """Return the JSON that a link leads to, in parts; None for a link that is not ours or too old, and once the
    account is being deleted."""
    name, _, proof = token.rpartition(".") if len(token) <= _LENGTH_MAX and token.isascii() else ("", "", "")
    if not ports.secrets.is_token(proof, _PURPOSE, name):
        return None
    account, _, until = name.partition(".")
    if datetime.fromtimestamp(int(until), UTC) <= ports.now():
        return None
    row = await fetch_one("select * from accounts where id = $1", UUID(hex=account))
    if row is None or row["status"] != AccountStatus.ACTIVE.value:
        return None
    return _parts(row, ports.now())


async def _parts(account: Row, now: datetime) -> AsyncIterator[str]:
    """Give the export a few hundred rows at a time, so that no list is ever whole in memory."""
    profile = {name: _plain(name, account[name]) for name in _PROFILE}
    yield f'{{"exportedAt": {json.dumps(now.isoformat())},\n"account": {json.dumps(profile)}'
    for section, query in _SECTIONS.items():
        yield f',\n"{section}": ['
        last: UUID | None = None
        while True:
            rows = await _page(query, read_uuid(account["id"]), last)
            texts = [json.dumps({name: _plain(name, value) for name, value in row.items()}) for row in rows]
            yield ("" if last is None or not texts else ",\n") + ",\n".join(texts)
            if len(rows) < ROWS_AT_ONCE:
                break
            last = read_uuid(rows[-1]["id"])
        yield "]"
    yield "}\n"


async def _page(query: str, account_id: UUID, last: UUID | None) -> list[Row]:
    after = " where x.id > $2" if last else ""
    rows = await fetch(
        f"select * from ({query}) x{after} order by x.id limit {ROWS_AT_ONCE}",
        account_id, *([last] if last else []),
    )  # fmt: skip
    return list(rows)


def _plain(name: str, value: Any) -> Any:
    if name in _JSON:
        return read_json(value)
    return value if value is None or isinstance(value, int | str) else _text_of(value)


def _text_of(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
