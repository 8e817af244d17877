from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from uuid_utils.compat import uuid7


class Migration(migrations.Migration):
    dependencies = [("models", "0004_second_release_constraints")]

    initial = False

    operations = [
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
