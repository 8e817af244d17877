"""What the database itself refuses: one list, from which the triggers are made after each migration and verified.

Altering a table on SQLite rebuilds it and silently drops its triggers, so they are no part of a migration.
"""

from __future__ import annotations

from typing import NamedTuple


class Guard(NamedTuple):
    """Changes that a table refuses. `when` limits it to some rows, in SQL that both engines understand."""

    table: str
    on: str
    message: str
    when: str = ""

    @property
    def name(self) -> str:
        """The trigger's name."""
        return f"{self.table}_refuse_{self.on}"


GUARDS = (
    Guard("journal_entries", "update", "a journal entry is never changed"),
    Guard("journal_entries", "delete", "a journal entry is never deleted"),
    Guard("legs", "update", "a leg is never changed"),
    Guard("legs", "delete", "a leg is never deleted"),
    Guard("holds", "update", "a hold ends once", when="old.state <> 'PENDING'"),
    Guard("holds", "delete", "a hold is never deleted"),
    Guard("ledger_accounts", "update", "a ledger account is never changed"),
    Guard("ledger_accounts", "delete", "a ledger account is never deleted"),
)


def sqlite_statements() -> list[str]:
    """Return the statements that make the guards anew on SQLite."""
    statements = []
    for guard in GUARDS:
        when = f"when {guard.when} " if guard.when else ""
        statements += [
            f"drop trigger if exists {guard.name}",
            f"create trigger {guard.name} before {guard.on} on {guard.table} for each row {when}"
            f"begin select raise(abort, '{guard.message}'); end",
        ]
    return statements


def postgres_statements() -> list[str]:
    """Return the statements that make the guards anew on PostgreSQL; emptying a table is refused with deleting."""
    statements = [
        "create or replace function refuse_change() returns trigger language plpgsql as "
        "$$ begin raise exception '%', tg_argv[0] using errcode = 'restrict_violation'; end $$"
    ]
    for guard in GUARDS:
        when = f"when ({guard.when}) " if guard.when else ""
        statements += [
            f"drop trigger if exists {guard.name} on {guard.table}",
            f"create trigger {guard.name} before {guard.on} on {guard.table} for each row {when}"
            f"execute function refuse_change('{guard.message}')",
        ]
        if guard.on == "delete":
            statements += [
                f"drop trigger if exists {guard.table}_refuse_truncate on {guard.table}",
                f"create trigger {guard.table}_refuse_truncate before truncate on {guard.table} "
                f"for each statement execute function refuse_change('{guard.message}')",
            ]
    return statements


def expected_triggers(dialect: str) -> frozenset[str]:
    """Return the names of the triggers that must be there."""
    names = {guard.name for guard in GUARDS}
    if dialect == "postgres":
        names |= {f"{guard.table}_refuse_truncate" for guard in GUARDS if guard.on == "delete"}
    return frozenset(names)
