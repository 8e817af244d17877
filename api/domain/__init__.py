"""Rules: pure functions, enums and transition tables; standard library only."""
