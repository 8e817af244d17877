"""Races, kills and random operations against the real service, and what must be true of the books afterwards."""
