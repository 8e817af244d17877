"""Tables: columns and constraints."""
