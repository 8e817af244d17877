"""Verbs: the queries, mutations and subscriptions, one file per feature."""

from api.resolvers.accounts import AccountsQueries
from api.resolvers.balances import BalancesSubscriptions
from api.resolvers.calls import CallsMutations
from api.resolvers.closures import ClosuresMutations, ClosuresQueries, ClosuresSubscriptions
from api.resolvers.external_payments import ExternalPaymentsMutations
from api.resolvers.facilities import FacilitiesQueries
from api.resolvers.failed_work import FailedWorkMutations
from api.resolvers.inactivity import InactivityMutations, InactivityQueries
from api.resolvers.invoices import InvoicesMutations, InvoicesQueries
from api.resolvers.nodes import NodesQueries
from api.resolvers.notifications import NotificationsMutations
from api.resolvers.payments import PaymentsMutations, PaymentsQueries
from api.resolvers.recovery import RecoveryMutations
from api.resolvers.refunds import RefundsMutations, RefundsSubscriptions
from api.resolvers.second_factors import SecondFactorsMutations
from api.resolvers.security import SecurityMutations
from api.resolvers.service_accounts import ServiceAccountsMutations
from api.resolvers.sign_ins import SignInsMutations
from api.resolvers.sign_ups import SignUpsMutations
from api.resolvers.staff import StaffQueries
from api.resolvers.subscriptions import SubscriptionsMutations, SubscriptionsSubscriptions
from api.resolvers.top_ups import TopUpsMutations
from api.schema.products import PRODUCTS

QUERIES = (
    NodesQueries,
    AccountsQueries,
    PaymentsQueries,
    FacilitiesQueries,
    InvoicesQueries,
    ClosuresQueries,
    InactivityQueries,
    StaffQueries,
)
MUTATIONS = (
    SignUpsMutations,
    SignInsMutations,
    SecondFactorsMutations,
    RecoveryMutations,
    SecurityMutations,
    NotificationsMutations,
    ServiceAccountsMutations,
    InactivityMutations,
    PaymentsMutations,
    SubscriptionsMutations,
    TopUpsMutations,
    ClosuresMutations,
    InvoicesMutations,
    ExternalPaymentsMutations,
    FailedWorkMutations,
    CallsMutations,
    RefundsMutations,
)
SUBSCRIPTIONS = (BalancesSubscriptions, ClosuresSubscriptions, RefundsSubscriptions, SubscriptionsSubscriptions)
TYPES = tuple(PRODUCTS.values())
"""Types that the schema would not find by itself, since they are reached through an interface alone."""
