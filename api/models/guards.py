"""Triggers and indexes: two lists, from which they are made after each migration, and verified.

Altering a table on SQLite rebuilds it and silently drops both, so they are no part of a migration.
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
    Guard("refund_events", "update", "a line of a timeline is never changed"),
    Guard("refund_events", "delete", "a line of a timeline is never deleted"),
    Guard("used_emails", "update", "a used address is never changed"),
    Guard("used_emails", "delete", "a used address is never forgotten"),
    Guard("lasting_keys", "delete", "a lasting key is never dropped"),
    Guard("closures", "delete", "a closing is never deleted"),
    Guard("refunds", "delete", "a refund is never deleted"),
    Guard("ledger_accounts", "update", "a ledger account is never changed"),
    Guard("ledger_accounts", "delete", "a ledger account is never deleted"),
    Guard("staff_acts", "update", "an act of staff is never changed"),
    Guard("staff_acts", "delete", "an act of staff is never deleted"),
)

UNIQUE = {
    "security_answers_unique": "security_answers (account_id, question_code)",
    "ledger_accounts_unique": "ledger_accounts (kind, key)",
    "journal_entries_unique": "journal_entries (balance_id, sequence)",
    "calls_unique": "calls (switch_id, call_id)",
    "payment_methods_unique": "payment_methods (processor, card_token)",
    "payments_unique": "payments (channel, external_reference)",
    "payments_one_per_quote": "payments (quote_id)",
    "payments_one_per_period": "payments (renewal_key)",
    "balances_one_per_service": "balances (service_account_id)",
    "idempotency_keys_unique": "idempotency_keys (scope, key)",
    "outbox_events_unique": "outbox_events (account_id, number)",
    "due_work_unique": "due_work (kind, key)",
    "rates_unique": "rates (facility_id, effective_from)",
    "incarcerated_people_unique": "incarcerated_people (facility_id, number)",
    "processor_events_unique": "processor_events (processor, event_id)",
    "disputes_unique": "disputes (processor, reference)",
    "statements_unique": "statements (service_account_id, period_start)",
    "auto_pays_one_per_service": "auto_pays (service_account_id)",
    "text_pays_one_per_service": "text_pays (service_account_id)",
    "low_balance_alerts_one_per_service": "low_balance_alerts (service_account_id)",
    "closed_services_unique": "closed_services (closure_id, service_account_id)",
    "refund_parts_unique": "refund_parts (refund_id, payment_id)",
    "refund_events_unique": "refund_events (refund_id, sequence)",
    "held_funds_one_per_refund": "held_funds (refund_id)",
    "deletion_codes_one_per_account": "deletion_codes (account_id)",
    "inactivity_rules_unique": "inactivity_rules (state, effective_from)",
    "activeness_one_per_service": "activeness (service_account_id)",
    "plan_subscriptions_one_live": "plan_subscriptions (live_key)",
    "plan_subscriptions_one_per_payment": "plan_subscriptions (payment_id)",
    "plan_prices_unique": "plan_prices (plan_id, effective_from)",
    "price_notices_unique": "price_notices (subscription_id, plan_price_id)",
    "visiting_hours_unique": "visiting_hours (facility_id, weekday, opens)",
    "video_prices_unique": "video_prices (facility_id, duration_minutes, effective_from)",
    "video_sessions_one_per_payment": "video_sessions (payment_id)",
    "notification_preferences_unique": "notification_preferences (account_id, topic)",
}
"""Columns that are unique together, and relations of one to one, which a rebuilt table on SQLite loses as well.

NULLs are never equal, so a column that is NULL in most rows leaves those free.
"""

INDEXES = {
    "pending_sign_ups_by_email": "pending_sign_ups (email_key, id)",
    "pending_sign_ups_by_expiry": "pending_sign_ups (expires_at)",
    "sign_ins_by_account": "sign_ins (account_id, ended_at)",
    "guess_counters_by_window": "guess_counters (window_at)",
    "facilities_by_name": "facilities (name, id)",
    "service_accounts_by_account": "service_accounts (account_id, id)",
    "account_phones_by_service": "account_phones (service_account_id)",
    "account_phones_by_phone": "account_phones (phone, added_at)",
    "balances_by_account": "balances (account_id)",
    "ledger_accounts_by_balance": "ledger_accounts (balance_id)",
    "journal_entries_by_call": "journal_entries (call_id)",
    "journal_entries_by_payment": "journal_entries (payment_id)",
    "legs_by_entry": "legs (entry_id)",
    "legs_by_debit": "legs (debit_id)",
    "legs_by_credit": "legs (credit_id)",
    "holds_by_balance": "holds (balance_id, state)",
    "holds_by_expiry": "holds (state, kind, expires_at)",
    "calls_by_service": "calls (service_account_id, started_at, id)",
    "payment_methods_by_account": "payment_methods (account_id, id)",
    "quotes_by_expiry": "quotes (expires_at)",
    "payments_by_account": "payments (account_id, id)",
    "payments_by_time": "payments (account_id, created_at)",
    "payments_by_service": "payments (service_account_id, settled_at)",
    "payments_by_invoice": "payments (invoice_id)",
    "payments_unapplied": "payments (id) where applied_at is null and external_reference is not null",
    "fee_rules_by_purpose": "fee_rules (purpose, effective_from)",
    "processor_events_by_reference": "processor_events (reference)",
    "disputes_by_payment": "disputes (payment_id)",
    "invoices_by_service": "invoices (service_account_id, status, id)",
    "statements_by_account": "statements (account_id, id)",
    "auto_pays_by_method": "auto_pays (method_id)",
    "text_pays_by_method": "text_pays (method_id)",
    "text_offers_by_text_pay": "text_offers (text_pay_id)",
    "inbound_texts_by_age": "inbound_texts (received_at)",
    "closures_by_account": "closures (account_id, id)",
    "closures_by_rule": "closures (kind, requested_at, id)",
    "closed_services_by_service": "closed_services (service_account_id)",
    "refunds_by_account": "refunds (account_id, id)",
    "refunds_by_closure": "refunds (closure_id)",
    "refunds_by_status": "refunds (status, id)",
    "refunds_by_check_run": "refunds (check_run_id, id)",
    "held_funds_by_closure": "held_funds (closure_id)",
    "refund_parts_by_payment": "refund_parts (payment_id)",
    "held_funds_by_account": "held_funds (account_id, id)",
    "held_funds_by_state": "held_funds (state, id)",
    "plans_by_facility": "plans (facility_id)",
    "plan_subscriptions_by_account": "plan_subscriptions (account_id, id)",
    "cancellations_by_subscription": "cancellations (subscription_id, id)",
    "cancellations_by_begin": "cancellations (begun_at)",
    "cancellations_by_end": "cancellations (ended_at)",
    "cancellations_open": "cancellations (changed_at) where outcome is null",
    "plan_subscriptions_by_plan": "plan_subscriptions (plan_id, id)",
    "plan_subscriptions_by_method": "plan_subscriptions (payment_method_id)",
    "payments_by_subscription": "payments (subscription_id)",
    "video_sessions_by_service": "video_sessions (service_account_id, scheduled_for, id)",
    "video_sessions_by_account": "video_sessions (account_id, scheduled_for)",
    "video_sessions_by_facility": "video_sessions (facility_id, scheduled_for, id)",
    "video_sessions_by_person": "video_sessions (person_id, scheduled_for)",
    "outbox_events_unpublished": "outbox_events (published_at, created_at)",
    "password_resets_by_expiry": "password_resets (expires_at)",
    "recovery_codes_by_owner": "recovery_codes (owner)",
    "challenges_by_expiry": "challenges (expires_at)",
    "activity_by_account": "activity (account_id, id)",
    "staff_acts_by_account": "staff_acts (account_id, id)",
    "consents_by_account": "consents (account_id, kind)",
    "sign_ins_by_staff": "sign_ins (staff_id, ended_at)",
    "due_work_by_due": "due_work (failed_at, due_at)",
    "sandbox_messages_by_recipient": "sandbox_messages (kind, recipient, id)",
}
"""Besides what primary keys and unique constraints bring with them."""


def index_statements() -> list[str]:
    """Return the statements that make the indexes that are missing, on both engines."""
    unique = [f"create unique index if not exists {name} on {columns}" for name, columns in UNIQUE.items()]
    return unique + [f"create index if not exists {name} on {columns}" for name, columns in INDEXES.items()]


def expected_indexes() -> frozenset[str]:
    """Return the names of the indexes that must be there."""
    return frozenset(UNIQUE) | frozenset(INDEXES)


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
