from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint


class Migration(migrations.Migration):
    dependencies = [("models", "0005_third_release")]

    initial = False

    operations = [
        ops.AlterModelOptions(
            name="Cancellation",
            options={
                "table": "cancellations",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A flow of unsubscribing. `open_for` is the subscription until the flow is done, then NULL: one open flow each.",
            },
        ),
        ops.AddConstraint(
            model_name="Cancellation",
            constraint=CheckConstraint(
                check="step IN ('CHOOSE_REASON', 'CONFIRM', 'FINAL_WARNING', 'DONE')", name="cancellations_step_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Cancellation",
            constraint=CheckConstraint(
                check="outcome IN ('CANCELLED', 'STAYED', 'ABANDONED')", name="cancellations_outcome_known"
            ),
        ),
        ops.AlterModelOptions(
            name="PlanPrice",
            options={
                "table": "plan_prices",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A price that an operator announced for a plan, in cents, from a day of the facility's calendar on.",
            },
        ),
        ops.AddConstraint(
            model_name="PlanPrice",
            constraint=CheckConstraint(check="price > 0", name="plan_prices_price"),
        ),
        ops.AlterModelOptions(
            name="PriceNotice",
            options={
                "table": "price_notices",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The notice of a price to one subscriber: renewals from `applies_at` on charge it.",
            },
        ),
        ops.AlterModelOptions(
            name="VideoPrice",
            options={
                "table": "video_prices",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Cents for a visit of a length at a facility, from that day on, until a later row says otherwise.",
            },
        ),
        ops.AddConstraint(
            model_name="VideoPrice",
            constraint=CheckConstraint(check="duration_minutes > 0", name="video_prices_duration"),
        ),
        ops.AddConstraint(
            model_name="VideoPrice",
            constraint=CheckConstraint(check="price > 0", name="video_prices_price"),
        ),
        ops.AlterModelOptions(
            name="VideoSession",
            options={
                "table": "video_sessions",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A visit of an account to a person in custody. Covered by a subscription, or paid for by `payment_id`.",
            },
        ),
        ops.AddConstraint(
            model_name="VideoSession",
            constraint=CheckConstraint(
                check="status IN ('AWAITING_PAYMENT', 'NOT_PAID', 'OWED', 'SCHEDULED', 'COMPLETED', 'MISSED', 'CANCELLED', 'VOIDED_BY_CLOSURE')",
                name="video_sessions_status_known",
            ),
        ),
        ops.AddConstraint(
            model_name="VideoSession",
            constraint=CheckConstraint(check="ends_at > scheduled_for", name="video_sessions_time"),
        ),
        ops.AddConstraint(
            model_name="VideoSession",
            constraint=CheckConstraint(
                check="(subscription_id IS NULL) <> (payment_id IS NULL)", name="video_sessions_cover"
            ),
        ),
        ops.AlterModelOptions(
            name="VisitingHours",
            options={
                "table": "visiting_hours",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Hours of a weekday (1 is Monday) in minutes after midnight of the facility. A day may have several.",
            },
        ),
        ops.AddConstraint(
            model_name="VisitingHours",
            constraint=CheckConstraint(check="weekday BETWEEN 1 AND 7", name="visiting_hours_weekday"),
        ),
        ops.AddConstraint(
            model_name="VisitingHours",
            constraint=CheckConstraint(
                check="opens >= 0 AND closes > opens AND closes <= 1440", name="visiting_hours_span"
            ),
        ),
    ]
