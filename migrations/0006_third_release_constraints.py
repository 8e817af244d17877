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
    ]
