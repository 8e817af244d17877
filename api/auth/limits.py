"""How often something may be tried: counters that all processes share and that survive a restart (rule 10)."""

from __future__ import annotations

import ipaddress
import math
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, read_time, transactional
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused

# A provider hands a whole IPv6 network to each customer, who can take any address in it.
_CLIENT_PREFIX_BITS = 64


class Limit(Enum):
    """What is counted; each is a table of `data/limits.toml`."""

    SIGN_INS_PER_CLIENT = "sign_ins_per_client"
    SIGN_INS_PER_ACCOUNT = "sign_ins_per_account"
    FAILURES_NOTED_PER_ACCOUNT = "failures_noted_per_account"
    EMAIL_CHANGES_PER_ACCOUNT = "email_changes_per_account"
    SIGN_UPS_PER_CLIENT = "sign_ups_per_client"
    RESENDS_PER_CLIENT = "resends_per_client"
    LINKS_PER_CLIENT = "links_per_client"
    MAILS_PER_EMAIL = "mails_per_email"


class Tries(NamedTuple):
    """How many tries there were in the window that ends at `window_ends_at`, the latest one included."""

    made: int
    window_ends_at: datetime


@cache
def _limits() -> Mapping[Limit, tuple[int, timedelta]]:
    tables = tomllib.loads((files("api") / "data" / "limits.toml").read_text("utf-8"))
    return {
        limit: (tables[limit.value]["count_max"], timedelta(minutes=tables[limit.value]["minutes"])) for limit in Limit
    }


def client_of(address: str) -> str:
    """Return whom a client's address counts for: itself, or the network that an IPv6 address lies in."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _CLIENT_PREFIX_BITS), strict=False))


def subject_of(ports: Ports, limit: Limit, who: str) -> str:
    """Return the counter's subject, keyed, so that the table tells neither addresses nor who has tried."""
    return f"{limit.value}:{ports.secrets.digest('guess', who).hex()}"


async def count(subject: str, now: datetime, window: timedelta) -> Tries:
    """Count one more try of a subject, in one statement; a window that has passed begins anew."""
    row = await fetch_one(
        "insert into guess_counters (id, subject, window_at, count) values ($1, $2, $3, 1)"
        " on conflict (subject) do update set"
        " count = case when guess_counters.window_at <= $4 then 1 else guess_counters.count + 1 end,"
        " window_at = case when guess_counters.window_at <= $4 then excluded.window_at"
        " else guess_counters.window_at end"
        " returning count, window_at",
        uuid7(), subject, now, now - window,
    )  # fmt: skip
    assert row is not None, "an upsert returns its row"
    return Tries(int(row["count"]), read_time(row["window_at"]) + window)


async def forget(subject: str) -> None:
    """Drop a subject's counter, e.g. after a success."""
    await execute("delete from guess_counters where subject = $1", subject)


async def take_back(ports: Ports, limit: Limit, who: str) -> None:
    """Take a counted try back once it turned out to be no guess: many families share a client's address."""
    await execute(
        "update guess_counters set count = count - 1 where subject = $1 and count > 0", subject_of(ports, limit, who)
    )


async def limit_fault(ports: Ports, limit: Limit, who: str) -> Fault | None:
    """Count one more try within the transaction under way; return why it is one too many, or None."""
    count_max, window = _limits()[limit]
    now = ports.now()
    tries = await count(subject_of(ports, limit, who), now, window)
    if tries.made <= count_max:
        return None
    seconds = max(1, math.ceil((tries.window_ends_at - now).total_seconds()))
    return Fault(
        ErrorCode.RATE_LIMITED,
        "errors.rate_limited",
        params={"seconds": seconds},
        facts={"retry_after_seconds": seconds},
    )


@transactional
async def _first_fault(ports: Ports, tries: tuple[tuple[Limit, str], ...]) -> Fault | None:
    for limit, who in tries:
        # The ones behind are left alone: a client that is stopped must not use up the tries of an account besides.
        if fault := await limit_fault(ports, limit, who):
            return fault
    return None


async def count_try(ports: Ports, *tries: tuple[Limit, str]) -> None:
    """Count a try for each limit in turn, in a transaction of its own, before any secret is looked at.

    The count outlives the refusal: raises Refused with RATE_LIMITED at the first limit that is passed.
    """
    fault = await _first_fault(ports, tries)
    if fault is not None:
        raise Refused(fault)


async def prune(now: datetime) -> int:
    """Drop counters whose window is long over; return how many."""
    longest = max(window for _, window in _limits().values())
    return await execute("delete from guess_counters where window_at < $1", now - longest)
