"""Use cases: they open transactions, query rows and write the outbox."""
