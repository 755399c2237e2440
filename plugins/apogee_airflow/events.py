"""What a task says about the assets that it made: digests and counts, which people see beside the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset, BaseOperator, Context


def tell(operator: BaseOperator, context: Context, asset: Asset, **extra: Any) -> None:
    """Put `extra` beside the event of an asset, if it is among the operator's outlets: an operator works without any."""
    if asset in operator.outlets:
        context["outlet_events"][asset].extra = extra


def tell_nothing(operator: BaseOperator, *assets: Asset) -> None:
    """Let the task end without an event for these assets: nothing of theirs has changed.

    Airflow 3.3.2 emits one for every outlet of a task that succeeds.  It asks the operator for them when `execute` has
    ended, and that is a copy which this try of the task has for itself: the DAG keeps its outlets.
    """
    operator.outlets = [outlet for outlet in operator.outlets if outlet not in assets]
