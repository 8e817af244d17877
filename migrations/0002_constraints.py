from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    initial = False

    operations = [
        ops.AlterModelOptions(
            name="Account",
            options={
                "table": "accounts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The login. `email_key` decides which addresses are the same; `event_number` counts its events, see outbox.",
            },
        ),
        ops.AddConstraint(
            model_name="Account",
            constraint=CheckConstraint(
                check="status IN ('PENDING_VERIFICATION', 'ACTIVE', 'LOCKED', 'CLOSING', 'DELETED')",
                name="accounts_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Account",
            constraint=CheckConstraint(check="address_revision >= 1", name="accounts_revision_grows"),
        ),
        ops.AlterModelOptions(
            name="AccountPhone",
            options={
                "table": "account_phones",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A number on a service account. `live_phone` is the number while it is on it, else NULL: one account a number.",
            },
        ),
        ops.AlterModelOptions(
            name="Activity",
            options={
                "table": "activity",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One act. `action` names its text (`activity.<action>`), `params` fill it; no secret is among them.",
            },
        ),
        ops.AddConstraint(
            model_name="Activity",
            constraint=CheckConstraint(
                check="channel IN ('WEB', 'IOS', 'ANDROID', 'PHONE_AGENT', 'SMS', 'CHAT', 'SYSTEM')",
                name="activity_channel_known",
            ),
        ),
        ops.AlterModelOptions(
            name="ApiKey",
            options={
                "table": "api_keys",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A key of the phone switch or of a payment partner; its secret is a row of `sign_ins`.",
            },
        ),
        ops.AddConstraint(
            model_name="ApiKey",
            constraint=CheckConstraint(check="role IN ('PAYMENT_PARTNER', 'PHONE_SWITCH')", name="api_keys_role_known"),
        ),
        ops.AlterModelOptions(
            name="Balance",
            options={
                "table": "balances",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The projection of a service's postings and holds, locked by whoever moves its money.",
            },
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(
                check="product IN ('ADVANCE_CONNECT', 'DIRECT_BILL', 'DEBIT', 'EMESSAGING', 'VIDEO_CONNECT')",
                name="balances_product_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(check="unit IN ('USD_CENT', 'STAMP')", name="balances_unit_known"),
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(
                check="posted >= 0 OR may_be_negative OR product = 'DIRECT_BILL'", name="balances_never_negative"
            ),
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(
                check="held >= 0 AND (held <= posted OR may_be_negative OR product = 'DIRECT_BILL')",
                name="balances_hold_what_is_there",
            ),
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(check="incoming >= 0", name="balances_incoming"),
        ),
        ops.AddConstraint(
            model_name="Balance",
            constraint=CheckConstraint(
                check="revision >= 0 AND sequence >= 0 AND sequence <= revision", name="balances_revision"
            ),
        ),
        ops.AlterModelOptions(
            name="Call",
            options={
                "table": "calls",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One call. The switch's own id makes it unique; `segment` is the last one that extended its hold.",
            },
        ),
        ops.AddConstraint(
            model_name="Call",
            constraint=CheckConstraint(
                check="status IN ('IN_PROGRESS', 'ENDED', 'REFUSED')", name="calls_status_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Call",
            constraint=CheckConstraint(
                check="duration_seconds IS NULL OR duration_seconds >= 0", name="calls_duration"
            ),
        ),
        ops.AddConstraint(
            model_name="Call",
            constraint=CheckConstraint(check="cost IS NULL OR cost >= 0", name="calls_cost"),
        ),
        ops.AlterModelOptions(
            name="Challenge",
            options={
                "table": "challenges",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A sign-in whose password was right and whose code is still to come.",
            },
        ),
        ops.AddConstraint(
            model_name="Challenge",
            constraint=CheckConstraint(check="tries >= 0", name="challenges_tries"),
        ),
        ops.AlterModelOptions(
            name="Consent",
            options={
                "table": "consents",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Proof of what was agreed to: the text's version and digest, in which language, when and how.",
            },
        ),
        ops.AlterModelOptions(
            name="DueWork",
            options={
                "table": "due_work",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Work that falls due, unique by kind and key. A claim takes a lease and an attempt number; done rows are deleted.",
            },
        ),
        ops.AddConstraint(
            model_name="DueWork",
            constraint=CheckConstraint(check="attempt >= 0 AND failures >= 0", name="due_work_attempt"),
        ),
        ops.AlterModelOptions(
            name="EmailChange",
            options={
                "table": "email_changes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A new address that waits for its link; one per account, the newest.",
            },
        ),
        ops.AlterModelOptions(
            name="Facility",
            options={
                "table": "facilities",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A jail or prison. `products` are the product codes that it offers.",
            },
        ),
        ops.AlterModelOptions(
            name="GuessCounter",
            options={
                "table": "guess_counters",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How often something was tried since `window_at`; one row per subject, see auth/limits.",
            },
        ),
        ops.AddConstraint(
            model_name="GuessCounter",
            constraint=CheckConstraint(check="count >= 0", name="guess_counters_count"),
        ),
        ops.AlterModelOptions(
            name="Hold",
            options={
                "table": "holds",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Money set aside until a call or payment is decided. `subject` is the call's or payment's id; one hold each.",
            },
        ),
        ops.AddConstraint(
            model_name="Hold",
            constraint=CheckConstraint(check="kind IN ('CALL', 'PAYMENT')", name="holds_kind_known"),
        ),
        ops.AddConstraint(
            model_name="Hold",
            constraint=CheckConstraint(
                check="state IN ('PENDING', 'POSTED', 'VOIDED', 'EXPIRED')", name="holds_state_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Hold",
            constraint=CheckConstraint(check="amount >= 0", name="holds_amount"),
        ),
        ops.AddConstraint(
            model_name="Hold",
            constraint=CheckConstraint(check="(state = 'PENDING') = (ended_at IS NULL)", name="holds_end_once"),
        ),
        ops.AlterModelOptions(
            name="IdempotencyKey",
            options={
                "table": "idempotency_keys",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A client's key, in the same transaction as what it made (`result_id`). `scope` is the account it belongs to.",
            },
        ),
        ops.AlterModelOptions(
            name="JournalEntry",
            options={
                "table": "journal_entries",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One movement, unique by its source. Where it moves a balance, it is also the holder's transaction.",
            },
        ),
        ops.AddConstraint(
            model_name="JournalEntry",
            constraint=CheckConstraint(
                check="kind IS NULL OR kind IN ('FUNDING', 'CALL_CHARGE', 'CREDIT', 'ADJUSTMENT', 'WRITE_OFF', 'REFUND', 'REFUND_REVERSAL', 'CHARGEBACK', 'TRANSFER_TO_HELD_FUNDS', 'INVOICE_PAYMENT')",
                name="journal_entries_kind_known",
            ),
        ),
        ops.AddConstraint(
            model_name="JournalEntry",
            constraint=CheckConstraint(
                check="(balance_id IS NULL AND sequence IS NULL AND amount IS NULL AND balance_after IS NULL) OR (balance_id IS NOT NULL AND sequence >= 1 AND amount <> 0 AND balance_after IS NOT NULL AND kind IS NOT NULL)",
                name="journal_entries_whole",
            ),
        ),
        ops.AlterModelOptions(
            name="LedgerAccount",
            options={
                "table": "ledger_accounts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One account of the books: its kind and whose it is (`key`: a service account's id, a processor's name, …).",
            },
        ),
        ops.AddConstraint(
            model_name="LedgerAccount",
            constraint=CheckConstraint(
                check="kind IN ('PREPAID', 'UNBILLED', 'BILLED', 'STAMPS', 'DEBIT_FUNDS', 'REFUNDS_IN_TRANSIT', 'CHECKS_OUTSTANDING', 'HELD_FUNDS', 'UNAPPLIED_RECEIPTS', 'PROCESSOR_CLEARING', 'PARTNER_CLEARING', 'BANK', 'CALL_REVENUE', 'PLAN_REVENUE', 'VIDEO_REVENUE', 'STAMP_REVENUE', 'FEE_REVENUE', 'TAX_PAYABLE', 'GOODWILL_EXPENSE', 'BAD_DEBT_EXPENSE', 'CHARGEBACK_LOSS', 'STAMPS_ISSUED')",
                name="ledger_accounts_kind_known",
            ),
        ),
        ops.AddConstraint(
            model_name="LedgerAccount",
            constraint=CheckConstraint(check="unit IN ('USD_CENT', 'STAMP')", name="ledger_accounts_unit_known"),
        ),
        ops.AlterModelOptions(
            name="Leg",
            options={
                "table": "legs",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One transfer of an entry; its shape makes the books sum to zero.",
            },
        ),
        ops.AddConstraint(
            model_name="Leg",
            constraint=CheckConstraint(check="amount > 0", name="legs_amount"),
        ),
        ops.AddConstraint(
            model_name="Leg",
            constraint=CheckConstraint(check="debit_id <> credit_id", name="legs_two_accounts"),
        ),
        ops.AddConstraint(
            model_name="Leg",
            constraint=CheckConstraint(check="unit IN ('USD_CENT', 'STAMP')", name="legs_unit_known"),
        ),
        ops.AlterModelOptions(
            name="OutboxEvent",
            options={
                "table": "outbox_events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Something an account's watchers must be told, numbered per account, in the transaction it tells of.",
            },
        ),
        ops.AlterModelOptions(
            name="PasswordReset",
            options={
                "table": "password_resets",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A reset under way, for known and unknown addresses alike. `subject` is the keyed digest of the address;",
            },
        ),
        ops.AddConstraint(
            model_name="PasswordReset",
            constraint=CheckConstraint(check="code_tries >= 0 AND answer_tries >= 0", name="password_resets_tries"),
        ),
        ops.AlterModelOptions(
            name="Payment",
            options={
                "table": "payments",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Money that comes in. Its id is the processor's idempotency key; `quote` is unique, so it is paid once.",
            },
        ),
        ops.AddConstraint(
            model_name="Payment",
            constraint=CheckConstraint(
                check="purpose IN ('FUND_ADVANCE_CONNECT', 'FUND_DEBIT', 'BUY_STAMPS', 'PAY_INVOICE', 'SUBSCRIPTION', 'VIDEO_SESSION')",
                name="payments_purpose_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Payment",
            constraint=CheckConstraint(
                check="channel IN ('CARD_ONLINE', 'AUTOPAY', 'TEXTPAY', 'WESTERN_UNION', 'MONEYGRAM', 'MAIL')",
                name="payments_channel_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Payment",
            constraint=CheckConstraint(
                check="status IN ('REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'FAILED', 'REFUNDED', 'PARTIALLY_REFUNDED', 'CHARGED_BACK')",
                name="payments_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Payment",
            constraint=CheckConstraint(check="amount > 0 AND total >= amount", name="payments_amounts"),
        ),
        ops.AddConstraint(
            model_name="Payment",
            constraint=CheckConstraint(
                check="decline_reason IS NULL OR decline_reason IN ('INSUFFICIENT_FUNDS', 'CARD_EXPIRED', 'DO_NOT_HONOR', 'LOST_OR_STOLEN', 'FRAUD_SUSPECTED', 'AUTHENTICATION_REQUIRED', 'PROCESSOR_UNAVAILABLE', 'OTHER')",
                name="payments_reason_known",
            ),
        ),
        ops.AlterModelOptions(
            name="PaymentMethod",
            options={
                "table": "payment_methods",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A card as a token of the processor. `default_of` is the account's id on its one default card, else NULL.",
            },
        ),
        ops.AddConstraint(
            model_name="PaymentMethod",
            constraint=CheckConstraint(
                check="expiry_month BETWEEN 1 AND 12 AND expiry_year BETWEEN 2000 AND 2200",
                name="payment_methods_expiry",
            ),
        ),
        ops.AlterModelOptions(
            name="PendingSignUp",
            options={
                "table": "pending_sign_ups",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A sign-up that waits for its own link; confirming it ends the others of the same address (rule 5).",
            },
        ),
        ops.AlterModelOptions(
            name="Plan",
            options={
                "table": "plans",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A plan of one facility. `included_calls` is NULL where the plan is not about calls.",
            },
        ),
        ops.AddConstraint(
            model_name="Plan",
            constraint=CheckConstraint(check="price > 0", name="plans_price"),
        ),
        ops.AlterModelOptions(
            name="PlanSubscription",
            options={
                "table": "plan_subscriptions",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A holder's subscription to a plan.",
            },
        ),
        ops.AddConstraint(
            model_name="PlanSubscription",
            constraint=CheckConstraint(
                check="status IN ('ACTIVE', 'PAST_DUE', 'CANCEL_SCHEDULED', 'ENDED', 'CANCELLED_BY_CLOSURE')",
                name="plan_subscriptions_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="PlanSubscription",
            constraint=CheckConstraint(check="period_end > period_start", name="plan_subscriptions_period"),
        ),
        ops.AlterModelOptions(
            name="Quote",
            options={
                "table": "quotes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a payment will cost, line by line: `[[label key, cents], …]`. Paid at most once, see payments.quote.",
            },
        ),
        ops.AddConstraint(
            model_name="Quote",
            constraint=CheckConstraint(
                check="purpose IN ('FUND_ADVANCE_CONNECT', 'FUND_DEBIT', 'BUY_STAMPS', 'PAY_INVOICE', 'SUBSCRIPTION', 'VIDEO_SESSION')",
                name="quotes_purpose_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Quote",
            constraint=CheckConstraint(check="amount > 0 AND total >= amount", name="quotes_amounts"),
        ),
        ops.AlterModelOptions(
            name="RecoveryCode",
            options={
                "table": "recovery_codes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One code that stands in for the factor once; only its keyed digest is kept.",
            },
        ),
        ops.AlterModelOptions(
            name="SandboxClock",
            options={
                "table": "sandbox_clock",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How far the sandbox's clock is ahead of the machine's, in seconds; one row.",
            },
        ),
        ops.AddConstraint(
            model_name="SandboxClock",
            constraint=CheckConstraint(check="id = 1", name="sandbox_clock_one_row"),
        ),
        ops.AlterModelOptions(
            name="SandboxMessage",
            options={
                "table": "sandbox_messages",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A mail or text that the sandbox sent to nobody.",
            },
        ),
        ops.AlterModelOptions(
            name="SecondFactor",
            options={
                "table": "second_factors",
                "app": "models",
                "pk_attr": "id",
                "table_description": "`owner` is the id of an account or of a staff member. The secret is sealed with a key of the service; `last_step`",
            },
        ),
        ops.AlterModelOptions(
            name="SecurityAnswer",
            options={
                "table": "security_answers",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One of the three answers, hashed; the answer itself is nowhere.",
            },
        ),
        ops.AlterModelOptions(
            name="ServiceAccount",
            options={
                "table": "service_accounts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One product of a holder. `open_key` is unique while open, else NULL: one open account per product (rule 13a).",
            },
        ),
        ops.AddConstraint(
            model_name="ServiceAccount",
            constraint=CheckConstraint(
                check="product IN ('ADVANCE_CONNECT', 'DIRECT_BILL', 'DEBIT', 'EMESSAGING', 'VIDEO_CONNECT')",
                name="service_accounts_product_known",
            ),
        ),
        ops.AddConstraint(
            model_name="ServiceAccount",
            constraint=CheckConstraint(
                check="status IN ('ACTIVE', 'CLOSING', 'CLOSED')", name="service_accounts_status_known"
            ),
        ),
        ops.AlterModelOptions(
            name="SignIn",
            options={
                "table": "sign_ins",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One bearer of a token. `in_browser`: it came as a cookie; `proved_at`: the password was given last.",
            },
        ),
        ops.AddConstraint(
            model_name="SignIn",
            constraint=CheckConstraint(
                check="channel IN ('WEB', 'IOS', 'ANDROID', 'PHONE_AGENT', 'SMS', 'CHAT', 'SYSTEM')",
                name="sign_ins_channel_known",
            ),
        ),
        ops.AddConstraint(
            model_name="SignIn",
            constraint=CheckConstraint(
                check="(CASE WHEN account_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN key_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN staff_id IS NULL THEN 0 ELSE 1 END) = 1",
                name="sign_ins_one_bearer",
            ),
        ),
        ops.AlterModelOptions(
            name="StaffMember",
            options={
                "table": "staff_members",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Somebody of the operator's staff. `roles` are role codes; without a second factor they may only enrol one.",
            },
        ),
    ]
