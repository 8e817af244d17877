from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint


class Migration(migrations.Migration):
    dependencies = [("models", "0003_second_release")]

    initial = False

    operations = [
        ops.AlterModelOptions(
            name="Activeness",
            options={
                "table": "activeness",
                "app": "models",
                "pk_attr": "id",
                "table_description": "When a holder last asked to keep a service, NULL for never, and when it was told that it will close.",
            },
        ),
        ops.AlterModelOptions(
            name="AutoPay",
            options={
                "table": "auto_pays",
                "app": "models",
                "pk_attr": "id",
                "table_description": "AutoPay of a service; one row each, also after it was ended. `payment_id` is the charge in flight.",
            },
        ),
        ops.AddConstraint(
            model_name="AutoPay",
            constraint=CheckConstraint(
                check="state IN ('ON', 'PAUSED', 'CAP_REACHED', 'PAYMENT_FAILED', 'TERMINATED')",
                name="auto_pays_state_known",
            ),
        ),
        ops.AddConstraint(
            model_name="AutoPay",
            constraint=CheckConstraint(check="threshold > 0 AND amount >= threshold", name="auto_pays_amounts"),
        ),
        ops.AlterModelOptions(
            name="ClosedService",
            options={
                "table": "closed_services",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A service that a closing ends; `settled_at` once its amount is fixed.",
            },
        ),
        ops.AddConstraint(
            model_name="ClosedService",
            constraint=CheckConstraint(
                check="product IN ('ADVANCE_CONNECT', 'DIRECT_BILL', 'DEBIT', 'EMESSAGING', 'VIDEO_CONNECT')",
                name="closed_services_product_known",
            ),
        ),
        ops.AlterModelOptions(
            name="Closure",
            options={
                "table": "closures",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A closing. The receipt token is derived from its id. `contact_email` and `address` are erased once it is over.",
            },
        ),
        ops.AddConstraint(
            model_name="Closure",
            constraint=CheckConstraint(
                check="kind IN ('DELETE_ACCOUNT', 'CLOSE_SERVICE', 'INACTIVITY')", name="closures_kind_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Closure",
            constraint=CheckConstraint(
                check="status IN ('SETTLING_CALLS', 'DIRECT_BILL_HOLD', 'REFUNDING', 'AWAITING_FINAL_PAYMENT', 'COMPLETED', 'WITHDRAWN')",
                name="closures_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Closure",
            constraint=CheckConstraint(
                check="requested_via IN ('WEB', 'IOS', 'ANDROID', 'PHONE_AGENT', 'SMS', 'CHAT', 'SYSTEM')",
                name="closures_requested_via_known",
            ),
        ),
        ops.AlterModelOptions(
            name="DeletionCode",
            options={
                "table": "deletion_codes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A number that was mailed to a holder who deletes the account by telephone; one per account, the newest.",
            },
        ),
        ops.AddConstraint(
            model_name="DeletionCode",
            constraint=CheckConstraint(check="tries >= 0", name="deletion_codes_tries"),
        ),
        ops.AlterModelOptions(
            name="Dispute",
            options={
                "table": "disputes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A chargeback of a payment at its processor; `amount` in cents is what the bank took back.",
            },
        ),
        ops.AddConstraint(
            model_name="Dispute",
            constraint=CheckConstraint(check="status IN ('OPEN', 'WON', 'LOST')", name="disputes_status_known"),
        ),
        ops.AddConstraint(
            model_name="Dispute",
            constraint=CheckConstraint(check="amount > 0", name="disputes_amount"),
        ),
        ops.AlterModelOptions(
            name="FeeRule",
            options={
                "table": "fee_rules",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A fee or tax on a purpose, as an operator edits them: `fixed` cents and `per_million` of the amount.",
            },
        ),
        ops.AddConstraint(
            model_name="FeeRule",
            constraint=CheckConstraint(
                check="purpose IN ('FUND_ADVANCE_CONNECT', 'FUND_DEBIT', 'BUY_STAMPS', 'PAY_INVOICE', 'SUBSCRIPTION', 'VIDEO_SESSION')",
                name="fee_rules_purpose_known",
            ),
        ),
        ops.AddConstraint(
            model_name="FeeRule",
            constraint=CheckConstraint(check="kind IN ('FEE', 'TAX')", name="fee_rules_kind_known"),
        ),
        ops.AddConstraint(
            model_name="FeeRule",
            constraint=CheckConstraint(
                check="fixed >= 0 AND per_million >= 0 AND per_million <= 1000000", name="fee_rules_amounts"
            ),
        ),
        ops.AddConstraint(
            model_name="FeeRule",
            constraint=CheckConstraint(
                check="kind <> 'TAX' OR jurisdiction IS NOT NULL", name="fee_rules_taxes_go_somewhere"
            ),
        ),
        ops.AlterModelOptions(
            name="HeldFunds",
            options={
                "table": "held_funds",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Money that could not be paid out and stays the holder's until it is claimed or disposed of.",
            },
        ),
        ops.AddConstraint(
            model_name="HeldFunds",
            constraint=CheckConstraint(check="state IN ('HELD', 'CLAIMED', 'DISPOSED')", name="held_funds_state_known"),
        ),
        ops.AddConstraint(
            model_name="HeldFunds",
            constraint=CheckConstraint(check="amount > 0", name="held_funds_amount"),
        ),
        ops.AlterModelOptions(
            name="InactivityRule",
            options={
                "table": "inactivity_rules",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A state's rule on accounts without activity, as an operator edits them.",
            },
        ),
        ops.AddConstraint(
            model_name="InactivityRule",
            constraint=CheckConstraint(check="days > 0", name="inactivity_rules_days"),
        ),
        ops.AlterModelOptions(
            name="InboundText",
            options={
                "table": "inbound_texts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A text that came in, by its provider's id, so that a repeat is recognised. Its words are not kept.",
            },
        ),
        ops.AlterModelOptions(
            name="IncarceratedPerson",
            options={
                "table": "incarcerated_people",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A person in custody. `number` and `name_key`, of the last name, are kept as they are compared, see",
            },
        ),
        ops.AlterModelOptions(
            name="Invoice",
            options={
                "table": "invoices",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What is to be paid of Direct Bill. `total` and `due` in cents; `number` is printed. Its link is derived.",
            },
        ),
        ops.AddConstraint(
            model_name="Invoice",
            constraint=CheckConstraint(check="kind IN ('MONTHLY', 'FINAL')", name="invoices_kind_known"),
        ),
        ops.AddConstraint(
            model_name="Invoice",
            constraint=CheckConstraint(
                check="status IN ('OPEN', 'PAST_DUE', 'PAID', 'VOID')", name="invoices_status_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Invoice",
            constraint=CheckConstraint(check="total > 0 AND due >= 0 AND due <= total", name="invoices_amounts"),
        ),
        ops.AddConstraint(
            model_name="Invoice",
            constraint=CheckConstraint(
                check="(status IN ('OPEN', 'PAST_DUE')) = (due > 0)", name="invoices_paid_in_full"
            ),
        ),
        ops.AddConstraint(
            model_name="Invoice",
            constraint=CheckConstraint(check="due_date >= statement_date", name="invoices_dates"),
        ),
        ops.AlterModelOptions(
            name="LastingKey",
            options={
                "table": "lasting_keys",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A key that is never rotated out, sealed by the service's present key; see services/used_emails.",
            },
        ),
        ops.AlterModelOptions(
            name="LowBalanceAlert",
            options={
                "table": "low_balance_alerts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A threshold below which the holder wants to be told.",
            },
        ),
        ops.AddConstraint(
            model_name="LowBalanceAlert",
            constraint=CheckConstraint(check="threshold > 0", name="low_balance_alerts_threshold"),
        ),
        ops.AlterModelOptions(
            name="NotificationPreference",
            options={
                "table": "notification_preferences",
                "app": "models",
                "pk_attr": "id",
                "table_description": "By which channels a holder wants to hear of a topic; without a row, as `data/notifications.toml` says.",
            },
        ),
        ops.AlterModelOptions(
            name="ProcessorEvent",
            options={
                "table": "processor_events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A signed call of the processor, kept before it is acted on. `event_id` is unique per processor.",
            },
        ),
        ops.AlterModelOptions(
            name="Rate",
            options={
                "table": "rates",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Dollars per started minute of a call to a facility, from that day on, until a later row says otherwise.",
            },
        ),
        ops.AddConstraint(
            model_name="Rate",
            constraint=CheckConstraint(check="per_minute >= 0", name="rates_per_minute"),
        ),
        ops.AlterModelOptions(
            name="Refund",
            options={
                "table": "refunds",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Money on its way back to one destination, in cents. `amount` is fixed when it is CALCULATED; 0 before.",
            },
        ),
        ops.AddConstraint(
            model_name="Refund",
            constraint=CheckConstraint(
                check="product IN ('ADVANCE_CONNECT', 'DIRECT_BILL', 'DEBIT', 'EMESSAGING', 'VIDEO_CONNECT')",
                name="refunds_product_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Refund",
            constraint=CheckConstraint(
                check="status IN ('SETTLING', 'CALCULATED', 'SUBMITTED', 'ISSUED', 'COMPLETED', 'REROUTED', 'HELD', 'NOTHING_DUE')",
                name="refunds_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Refund",
            constraint=CheckConstraint(check="method IN ('CARD', 'CHECK')", name="refunds_method_known"),
        ),
        ops.AddConstraint(
            model_name="Refund",
            constraint=CheckConstraint(
                check="based_on_channel IS NULL OR based_on_channel IN ('CARD_ONLINE', 'AUTOPAY', 'TEXTPAY', 'WESTERN_UNION', 'MONEYGRAM', 'MAIL')",
                name="refunds_based_on_channel_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Refund",
            constraint=CheckConstraint(
                check="amount >= 0 AND (amount > 0 OR status IN ('SETTLING', 'NOTHING_DUE'))", name="refunds_amount"
            ),
        ),
        ops.AlterModelOptions(
            name="RefundEvent",
            options={
                "table": "refund_events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A line of a refund's timeline; `note` names its text, `params` fill it. Never changed.",
            },
        ),
        ops.AddConstraint(
            model_name="RefundEvent",
            constraint=CheckConstraint(
                check="status IN ('SETTLING', 'CALCULATED', 'SUBMITTED', 'ISSUED', 'COMPLETED', 'REROUTED', 'HELD', 'NOTHING_DUE')",
                name="refund_events_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="RefundEvent",
            constraint=CheckConstraint(check="sequence >= 1", name="refund_events_sequence"),
        ),
        ops.AlterModelOptions(
            name="RefundPart",
            options={
                "table": "refund_parts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What of a card refund goes back against one charge. Its id is the key at the processor.",
            },
        ),
        ops.AddConstraint(
            model_name="RefundPart",
            constraint=CheckConstraint(check="amount > 0", name="refund_parts_amount"),
        ),
        ops.AddConstraint(
            model_name="RefundPart",
            constraint=CheckConstraint(
                check="status IN ('PENDING', 'ACCEPTED', 'CONFIRMED', 'REFUSED')", name="refund_parts_status_known"
            ),
        ),
        ops.AlterModelOptions(
            name="StaffAct",
            options={
                "table": "staff_acts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a member of staff did: who, when and why. `subject` is what it was done to, `facts` what it came to.",
            },
        ),
        ops.AlterModelOptions(
            name="Statement",
            options={
                "table": "statements",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A month of a service, in cents and Central days; the entries of its sequences sum to it.",
            },
        ),
        ops.AddConstraint(
            model_name="Statement",
            constraint=CheckConstraint(
                check="product IN ('ADVANCE_CONNECT', 'DIRECT_BILL', 'DEBIT', 'EMESSAGING', 'VIDEO_CONNECT')",
                name="statements_product_known",
            ),
        ),
        ops.AddConstraint(
            model_name="Statement",
            constraint=CheckConstraint(check="period_end >= period_start", name="statements_period"),
        ),
        ops.AlterModelOptions(
            name="StoppedPhone",
            options={
                "table": "stopped_phones",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A mobile that answered STOP, as a keyed hash, which outlives a deleted account.",
            },
        ),
        ops.AlterModelOptions(
            name="TextOffer",
            options={
                "table": "text_offers",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An offer by text. `open_for` is the TextPay while it is open, else NULL: one open offer each.",
            },
        ),
        ops.AddConstraint(
            model_name="TextOffer",
            constraint=CheckConstraint(
                check="state IN ('OPEN', 'ACCEPTED', 'EXPIRED', 'WITHDRAWN')", name="text_offers_state_known"
            ),
        ),
        ops.AddConstraint(
            model_name="TextOffer",
            constraint=CheckConstraint(check="amount > 0", name="text_offers_amount"),
        ),
        ops.AlterModelOptions(
            name="TextPay",
            options={
                "table": "text_pays",
                "app": "models",
                "pk_attr": "id",
                "table_description": "TextPay of a service; one row each, also after it was ended. `live_phone` is NULL then: one TextPay a mobile.",
            },
        ),
        ops.AddConstraint(
            model_name="TextPay",
            constraint=CheckConstraint(
                check="state IN ('ON', 'AWAITING_REPLY', 'PAYMENT_FAILED', 'TERMINATED')", name="text_pays_state_known"
            ),
        ),
        ops.AddConstraint(
            model_name="TextPay",
            constraint=CheckConstraint(check="threshold > 0 AND amount > 0", name="text_pays_amounts"),
        ),
        ops.AlterModelOptions(
            name="UsedEmail",
            options={
                "table": "used_emails",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An address of a deleted account, as a hash by a key that is never dropped: it can never be used again.",
            },
        ),
    ]
