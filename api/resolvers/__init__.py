"""Verbs: the queries, mutations and subscriptions, one file per feature."""
