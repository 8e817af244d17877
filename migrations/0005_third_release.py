from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from uuid_utils.compat import uuid7


class Migration(migrations.Migration):
    dependencies = [("models", "0004_second_release_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Cancellation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "subscription",
                    fields.ForeignKeyField(
                        "models.PlanSubscription",
                        source_field="subscription_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="cancellations",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("open_for", fields.UUIDField(null=True, unique=True)),
                ("step", fields.CharField(max_length=16)),
                ("outcome", fields.CharField(null=True, max_length=16)),
                ("reason", fields.CharField(null=True, max_length=40)),
                ("comment", fields.CharField(null=True, max_length=1000)),
                ("begun_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "cancellations", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.CreateModel(
            name="PlanPrice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "plan",
                    fields.ForeignKeyField(
                        "models.Plan",
                        source_field="plan_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="prices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("price", fields.BigIntField()),
                ("effective_from", fields.DateField()),
                ("announced_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("applied_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "plan_prices", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.CreateModel(
            name="PriceNotice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "subscription",
                    fields.ForeignKeyField(
                        "models.PlanSubscription",
                        source_field="subscription_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="price_notices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "plan_price",
                    fields.ForeignKeyField(
                        "models.PlanPrice",
                        source_field="plan_price_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="notices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("applies_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("told_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "price_notices", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.CreateModel(
            name="VideoPrice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "facility",
                    fields.ForeignKeyField(
                        "models.Facility",
                        source_field="facility_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="video_prices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("duration_minutes", fields.SmallIntField()),
                ("price", fields.BigIntField()),
                ("effective_from", fields.DateField()),
            ],
            options={"table": "video_prices", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.CreateModel(
            name="VideoSession",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="video_sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "service_account",
                    fields.ForeignKeyField(
                        "models.ServiceAccount",
                        source_field="service_account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="video_sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "facility",
                    fields.ForeignKeyField(
                        "models.Facility",
                        source_field="facility_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="video_sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.IncarceratedPerson",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="video_sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "subscription",
                    fields.ForeignKeyField(
                        "models.PlanSubscription",
                        source_field="subscription_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="video_sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("payment_id", fields.UUIDField(null=True)),
                ("status", fields.CharField(max_length=24)),
                ("scheduled_for", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("duration_minutes", fields.SmallIntField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("reported_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "video_sessions", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.CreateModel(
            name="VisitingHours",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "facility",
                    fields.ForeignKeyField(
                        "models.Facility",
                        source_field="facility_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="visiting_hours",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("weekday", fields.SmallIntField()),
                ("opens", fields.SmallIntField()),
                ("closes", fields.SmallIntField()),
            ],
            options={"table": "visiting_hours", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.AddField(
            model_name="Call",
            name="plan_period_start",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Call",
            name="subscription_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="Payment",
            name="period",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Payment",
            name="renewal_key",
            field=fields.CharField(null=True, max_length=60),
        ),
        ops.AddField(
            model_name="Payment",
            name="subscription_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="kept_try_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="reminded",
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="renewal_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="revision",
            field=fields.IntField(default=1, db_default=1),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="tries",
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="Quote",
            name="duration_minutes",
            field=fields.SmallIntField(null=True),
        ),
        ops.AddField(
            model_name="Quote",
            name="facility_id",
            field=fields.UUIDField(null=True),
        ),
    ]
