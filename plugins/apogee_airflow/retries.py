"""What is tried again, and what is not: the same for every task of the project's DAGs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

NOT_RETRIED: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    PermissionError,
    TypeError,
    ValueError,
)
"""A fault of the code, the configuration or somebody's permissions: the same tomorrow."""

RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[
                    *NOT_RETRIED,
                    "apogee_labels.catalog.CatalogError",
                    "apogee_labels.pipeline.models.training_memory.NotEnoughMemoryError",
                ],
                action=RetryAction.FAIL,
                reason="a fault in the code or the configuration: trying again changes nothing",
            )
        ]
    ),
}
"""``default_args``: a disk, a database or a network that fails is given 30 s, 1 min and 2 min; a fault of ours is not."""
