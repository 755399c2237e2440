"""The forms of DAGs."""
