"""Tables: columns and constraints."""

MODULES = (
    "api.models.accounts",
    "api.models.staff",
    "api.models.sign_ins",
    "api.models.recovery",
    "api.models.second_factors",
    "api.models.activity",
    "api.models.facilities",
    "api.models.service_accounts",
    "api.models.ledger",
    "api.models.calls",
    "api.models.payments",
    "api.models.plans",
    "api.models.video_sessions",
    "api.models.cancellations",
    "api.models.invoices",
    "api.models.top_ups",
    "api.models.closures",
    "api.models.plumbing",
)
