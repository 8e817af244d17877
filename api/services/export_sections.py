"""What an export holds of a holder, by section, and which tables it leaves out, and why."""

from __future__ import annotations

_SERVICES = "(select id from service_accounts where account_id = $1)"
_CLOSED = "(select id from closures where account_id = $1)"
SECTIONS = {
    "services": "select s.id, s.product, s.number, s.status, s.opened_at, s.closed_at, p.first_name, p.last_name,"
    " p.number as custody_number from service_accounts s left join incarcerated_people p"
    " on p.id = s.incarcerated_person_id where s.account_id = $1",
    "phones": "select id, service_account_id, phone, label, blocked, blocked_at, added_at,"
    f" removed_at from account_phones where service_account_id in {_SERVICES}",
    "balances": "select id, service_account_id, product, unit, posted, unbilled, held, incoming, credit_limit,"
    " changed_at from balances where account_id = $1 and product in ('ADVANCE_CONNECT', 'DIRECT_BILL', 'EMESSAGING')",
    "transactions": "select e.id, b.service_account_id, e.sequence, e.kind, e.amount, e.balance_after, e.occurred_at,"
    " e.posted_at from journal_entries e join balances b on b.id = e.balance_id where b.account_id = $1"
    " and b.product in ('ADVANCE_CONNECT', 'DIRECT_BILL', 'EMESSAGING')",
    "calls": "select id, service_account_id, phone, facility_id, status, rate_per_minute, started_at, ended_at,"
    f" duration_seconds, cost, subscription_id from calls where service_account_id in {_SERVICES}",
    "payments": "select id, service_account_id, method_id, invoice_id, plan_id, stamps, purpose, channel,"
    " status, amount, total, lines, decline_reason, external_reference, created_at, settled_at"
    " from payments where account_id = $1",
    "disputes": "select d.id, d.payment_id, d.amount, d.status, d.opened_at, d.closed_at from disputes d"
    " join payments p on p.id = d.payment_id where p.account_id = $1",
    "quotes": "select id, service_account_id, purpose, plan_id, invoice_id, stamps, facility_id, duration_minutes,"
    " lines, amount, total, created_at, expires_at from quotes where account_id = $1",
    "cards": "select id, brand, last4, expiry_month, expiry_year, added_at, last_used_at, removed_at"
    " from payment_methods where account_id = $1",
    "auto_pay": "select id, service_account_id, method_id, state, threshold, amount, monthly_cap, tries,"
    " set_at, ended_at from auto_pays where account_id = $1",
    "text_pay": "select id, service_account_id, method_id, phone, state, threshold, amount, set_at, ended_at"
    " from text_pays where account_id = $1",
    "text_pay_offers": "select o.id, o.text_pay_id, o.state, o.amount, o.offered_at, o.expires_at, o.ended_at,"
    " o.payment_id from text_offers o join text_pays t on t.id = o.text_pay_id where t.account_id = $1",
    "low_balance_alerts": "select id, service_account_id, threshold from low_balance_alerts"
    f" where service_account_id in {_SERVICES}",
    "subscriptions": "select id, plan_id, status, price, started_at, period_start, period_end, renews_at, access_until,"
    " included_calls_left from plan_subscriptions where account_id = $1",
    "price_notices": "select n.id, n.subscription_id, n.told_at, n.applies_at, p.price from price_notices n"
    " join plan_prices p on p.id = n.plan_price_id"
    " where n.subscription_id in (select id from plan_subscriptions where account_id = $1)",
    "cancellations": "select id, subscription_id, step, outcome, reason, comment, begun_at, ended_at from cancellations"
    " where subscription_id in (select id from plan_subscriptions where account_id = $1)",
    "video_sessions": "select id, facility_id, person_id, subscription_id, payment_id, status, scheduled_for,"
    " duration_minutes, created_at, ended_at from video_sessions where account_id = $1",
    "invoices": "select id, service_account_id, number, kind, status, statement_date, due_date, total, due, issued_at,"
    " ended_at from invoices where account_id = $1",
    "statements": "select id, service_account_id, product, period_start, period_end, opening, deposits,"
    " charges, closing, call_seconds, made_at from statements where account_id = $1",
    "closings": "select id, kind, status, requested_at, requested_via, contact_email, address, calls_until,"
    " completed_at from closures where account_id = $1",
    "closed_services": "select id, closure_id, service_account_id, product, settled_at from closed_services"
    f" where closure_id in {_CLOSED}",
    "refunds": "select id, closure_id, service_account_id, product, status, amount, method, payment_method_id,"
    " requested_at, window_earliest, window_latest, payee, address, check_number, created_at, ended_at"
    " from refunds where account_id = $1",
    "refund_steps": "select e.id, e.refund_id, e.sequence, e.status, e.at, e.note, e.params from refund_events e"
    " join refunds r on r.id = e.refund_id where r.account_id = $1",
    "held_funds": "select id, refund_id, state, amount, cause, held_since, disposition_on, residence, ended_at"
    " from held_funds where account_id = $1",
    "kept_active": "select id, service_account_id, kept_at, noticed_at from activeness"
    f" where service_account_id in {_SERVICES}",
    "consents": "select id, kind, version, locale, agreed_at, channel from consents where account_id = $1",
    "security_questions": "select id, question_code from security_answers where account_id = $1",
    "email_changes": "select id, email, created_at, expires_at from email_changes where account_id = $1",
    "notification_preferences": "select id, topic, channels, changed_at from notification_preferences"
    " where account_id = $1",
    "sign_ins": "select id, device, channel, in_browser, created_at, last_seen_at, expires_at, ended_at from sign_ins"
    " where account_id = $1",
    "activity": "select id, at, action, actor, channel, params from activity where account_id = $1",
}
"""What is kept, by section; never a hash, a token or a secret. Amounts are in cents, of stamps their number."""
LEFT_OUT = {
    "pending_sign_ups": "somebody who is no holder yet; ends within a day",
    "password_resets": "nothing but hashes of numbers, over within minutes; that they were asked for is in `activity`",
    "recovery_codes": "secrets of the second factor; that codes were used is in `activity`",
    "second_factors": "a secret; that it was set is in `activity`",
    "challenges": "a secret of minutes",
    "deletion_codes": "a secret of minutes",
    "staff_acts": "the operator's record of its staff; what they did is in `activity`, without their reasons",
    "staff_members": "staff, no holders",
    "holds": "what `balances` has as held and incoming",
    "ledger_accounts": "the operator's books; `transactions` has each entry of the holder",
    "legs": "the operator's books",
    "refund_parts": "how `refunds` went against `payments`, by the processor's references",
    "idempotency_keys": "digests of requests, to recognise a repeat",
    "outbox_events": "copies of what the other sections hold, on their way to watchers; pruned",
    "sandbox_messages": "mails of a sandbox, which has no real holder",
}
"""Tables that lead to a holder and are in no section, and why."""
