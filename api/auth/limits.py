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
from api.domain.guesses import Guess, counted, guess_budget, wait_after

# A provider hands a whole IPv6 network to each customer, who can take any address in it.
_CLIENT_PREFIX_BITS = 64
_UNDER_WAY = timedelta(minutes=1)
_BUDGET = "guesses_per_account"
# Of these, the ones of somebody who has given a right password already.
_PROVEN = f"{_BUDGET}:proven"


class Limit(Enum):
    """What is counted; each is a table of `data/limits.toml`."""

    GUESSES_PER_CLIENT = "guesses_per_client"
    RESET_NUMBERS_PER_CLIENT = "reset_numbers_per_client"
    ANSWERS_PER_ACCOUNT = "answers_per_account"
    FAILURES_NOTED_PER_ACCOUNT = "failures_noted_per_account"
    EMAIL_CHANGES_PER_ACCOUNT = "email_changes_per_account"
    SIGN_UPS_PER_CLIENT = "sign_ups_per_client"
    RESENDS_PER_CLIENT = "resends_per_client"
    RESETS_PER_CLIENT = "resets_per_client"
    RESETS_PER_EMAIL = "resets_per_email"
    LINKS_PER_CLIENT = "links_per_client"
    DELETION_CODES_PER_ACCOUNT = "deletion_codes_per_account"
    MAILS_PER_EMAIL = "mails_per_email"
    DECLINES_PER_ACCOUNT = "declines_per_account"
    DECLINES_PER_CLIENT = "declines_per_client"
    DECLINES_PER_LINK = "declines_per_link"
    PEOPLE_PER_CLIENT = "people_per_client"
    NOTICES_PER_PHONE = "notices_per_phone"
    PHONES_TAKEN_PER_ACCOUNT = "phones_taken_per_account"
    TEXT_PAYS_PER_PHONE = "text_pays_per_phone"
    TEXT_PAYS_PER_ACCOUNT = "text_pays_per_account"
    TEXT_ANSWERS_PER_PHONE = "text_answers_per_phone"
    TEXT_ANSWERS_PER_STRANGER = "text_answers_per_stranger"


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


def subject_of(ports: Ports, name: str, who: str) -> str:
    """Return a counter's subject, keyed, so that the table tells neither addresses nor who has tried."""
    return f"{name}:{ports.secrets.digest('guess', who).hex()}"


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


async def take_back(ports: Ports, limit: Limit, who: str) -> None:
    """Take a counted try back once it turned out to be no guess: many families share a client's address."""
    await execute(
        "update guess_counters set count = count - 1 where subject = $1 and count > 0",
        subject_of(ports, limit.value, who),
    )


async def limit_fault(ports: Ports, limit: Limit, who: str) -> Fault | None:
    """Count one more try within the transaction under way; return why it is one too many, or None."""
    count_max, window = _limits()[limit]
    now = ports.now()
    tries = await count(subject_of(ports, limit.value, who), now, window)
    if tries.made <= count_max:
        return None
    return _too_soon(tries.window_ends_at - now)


async def used_up(ports: Ports, limit: Limit, who: str, under_way: int = 0) -> Fault | None:
    """Return why one more try would be too many, or None; nothing is counted. `under_way` are tries that may come to
    count; they are over within a minute."""
    count_max, window = _limits()[limit]
    subject = subject_of(ports, limit.value, who)
    row = await fetch_one("select count, window_at from guess_counters where subject = $1", subject)
    left = read_time(row["window_at"]) + window - ports.now() if row else timedelta(0)
    made = int(row["count"]) if row and left > timedelta(0) else 0
    if made >= count_max:
        return _too_soon(left)
    return _too_soon(_UNDER_WAY) if made + under_way >= count_max else None


def _too_soon(wait: timedelta) -> Fault:
    seconds = max(1, math.ceil(wait.total_seconds()))
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


async def guess(ports: Ports, email_key: str, client: str, kind: Guess) -> None:
    """Count a try of one of an account's secrets, in a transaction of its own, before the secret is looked at.

    `email_key` is the account's, or what a stranger typed, so that unknown addresses answer alike; `client` is the
    client's address. The count outlives the refusal, and no process can get around it. Raises Refused: RATE_LIMITED
    until the wait is over, LOCKED once only a reset helps. Tell `guessed_right` when the secret was right.
    """
    fault = await _count_guess(ports, email_key, client_of(client), kind)
    if fault is not None:
        raise Refused(fault)


async def guessed_right(
    ports: Ports, email_key: str, client: str, kind: Guess = Guess.PASSWORD, *, complete: bool = True
) -> int:
    """Take a counted try back since it was right, within the transaction under way; return how many wrong ones remain
    or, where this secret clears them, how many there were.

    Say `complete=False` for a right password that a second factor must still confirm: whoever has just the password
    could otherwise clear the count again and again and guess codes for ever.
    """
    client = client_of(client)
    await take_back(ports, Limit.GUESSES_PER_CLIENT, client)
    if kind is Guess.RESET_NUMBER:
        await take_back(ports, Limit.RESET_NUMBERS_PER_CLIENT, f"{email_key} {client}")
    left = [await _take_back_guess(subject) for subject in _budgets(ports, email_key, kind)]
    if kind.clears and complete:
        await forget_guesses(ports, email_key)
    elif kind.clears:
        # The wait ran before the password, so the code that is still to come may be tried at once.
        opened_at = ports.now() - guess_budget().waits[-1][1]
        for subject in _budgets(ports, email_key, kind):
            await execute("update guess_counters set window_at = $1 where subject = $2", opened_at, subject)
    return left[0]


async def forget_guesses(ports: Ports, email_key: str) -> None:
    """Forget an address's wrong tries within the transaction under way, e.g. those from before it had an account."""
    for budget in (_BUDGET, _PROVEN):
        await execute("delete from guess_counters where subject = $1", subject_of(ports, budget, email_key))


async def move_guesses(ports: Ports, email_key: str, new_key: str) -> None:
    """Let an account's wrong tries go with it to another address, within the transaction under way.

    A change of the address buys no further tries, and those that were made at the new one were of no account's secrets.
    """
    await forget_guesses(ports, new_key)
    for budget in (_BUDGET, _PROVEN):
        moved = await fetch_one(
            "delete from guess_counters where subject = $1 returning count, window_at",
            subject_of(ports, budget, email_key),
        )
        if moved is not None:
            # Somebody may be guessing at the new address right now.
            await execute(
                "insert into guess_counters (id, subject, window_at, count) values ($1, $2, $3, $4)"
                " on conflict (subject) do update set count = excluded.count, window_at = excluded.window_at",
                uuid7(), subject_of(ports, budget, new_key), read_time(moved["window_at"]), int(moved["count"]),
            )  # fmt: skip


@transactional
async def _count_guess(ports: Ports, email_key: str, client: str, kind: Guess) -> Fault | None:
    limits = [(Limit.GUESSES_PER_CLIENT, client)]
    if kind is Guess.RESET_NUMBER:
        limits.append((Limit.RESET_NUMBERS_PER_CLIENT, f"{email_key} {client}"))
    elif kind is Guess.SECURITY_ANSWERS:
        limits.append((Limit.ANSWERS_PER_ACCOUNT, email_key))
    for limit, who in limits:
        if fault := await limit_fault(ports, limit, who):
            return fault
    now, subjects = ports.now(), _budgets(ports, email_key, kind)
    wrong, since = 0, now
    counts = []
    for subject in subjects:
        wrong, since = await _lock_guesses(subject, now)
        counts.append(wrong)
    if not kind.recovers:
        # By the last of the budgets: strangers' wrong passwords are no reason to stop one who has given the right one.
        wait = wait_after(wrong)
        if wait is None:
            return Fault(ErrorCode.LOCKED, "recovery.locked")
        if (left := since + wait - now) > timedelta(0):
            return _too_soon(left)
    for subject, wrong in zip(subjects, counts, strict=True):
        await execute(
            "update guess_counters set count = $1, window_at = $2 where subject = $3",
            counted(wrong, kind), now, subject,
        )  # fmt: skip
    return None


def _budgets(ports: Ports, email_key: str, kind: Guess) -> list[str]:
    """Return the subjects that a try of this kind counts for, in the order in which they are locked."""
    names = (_BUDGET, _PROVEN) if kind.is_proven else (_BUDGET,)
    return [subject_of(ports, name, email_key) for name in names]


async def _lock_guesses(subject: str, now: datetime) -> tuple[int, datetime]:
    """Return how many wrong tries there were and when the last one was, with their row locked."""
    # Setting what is there locks the row: tries at once are counted one after another.
    row = await fetch_one(
        "insert into guess_counters (id, subject, window_at, count) values ($1, $2, $3, 0)"
        " on conflict (subject) do update set count = guess_counters.count returning count, window_at",
        uuid7(), subject, now,
    )  # fmt: skip
    assert row is not None, "an upsert returns its row"
    return int(row["count"]), read_time(row["window_at"])


async def _take_back_guess(subject: str) -> int:
    row = await fetch_one(
        "update guess_counters set count = count - 1 where subject = $1 and count > 0 returning count", subject
    )
    return int(row["count"]) if row else 0


async def prune(now: datetime) -> int:
    """Drop counters whose window is long over, and wrong tries that are forgotten; locks stay. Return how many."""
    longest, budget = max(window for _, window in _limits().values()), guess_budget()
    budgets = f"{_BUDGET}:%"
    over = await execute(
        "delete from guess_counters where window_at < $1 and subject not like $2", now - longest, budgets
    )
    return over + await execute(
        "delete from guess_counters where window_at < $1 and subject like $2 and count < $3",
        now - budget.forgotten_after, budgets, budget.locked_at,
    )  # fmt: skip
