"""Which models there are, what was decided about them, which is in force, and on which stars they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import CatalogError, insert_once
from apogee_labels.catalog.db.rows import Subject, as_fields, row_of
from apogee_labels.catalog.queries.products import record_products
from apogee_labels.catalog.records import InForce, ModelRecord, VerdictRecord, WorkKind, utc_now
from apogee_labels.core.identity import SHORT

MODEL = schema.model
IN_FORCE = schema.in_force
STAR = schema.reference_star


class Models(Subject):
    """The models, what was decided about them, and which are in force."""

    def record(self, model: ModelRecord) -> bool:
        """Record a trained model: whether it is new.  One that is there is counted as work done twice."""
        with self._database.write() as connection:
            return bool(record_products(connection, WorkKind.MODEL, MODEL, [model]))

    def get(self, identity: str) -> ModelRecord | None:
        """Return the model with that identity, if it was trained."""
        return self._find(ModelRecord, MODEL, [identity]).get(identity)

    def in_force(self, name: str | None = None) -> ModelRecord | None:
        """Return the model that was last put in force under `name` (default: under any), if any was."""
        with self._database.read() as connection:
            query = select(MODEL).where(MODEL.c.id == _newest(connection, name))
            found = connection.execute(query).first()
        return None if found is None else ModelRecord(**as_fields(found))

    def choose(self, model: str | None = None) -> ModelRecord | None:
        """Return a model by its identity, by the beginning of it, or by the name under which it is in force.

        Parameters
        ----------
        model
            Default: the model that was last put in force; None when there is none.  Of an identity its first 12
            characters, as people are shown them, are enough.

        Raises
        ------
        CatalogError
            `model` is none of these.
        """
        if model is None:
            return self.in_force()
        chosen = self.get(model) or self.in_force(model) or self._model_that_begins(model)
        if chosen is None:
            raise CatalogError(
                f"expected the identity of a model (or its first {SHORT} characters) or a name that has one in force, "
                f"got {model!r}."
            )
        return chosen

    def all(self) -> list[ModelRecord]:
        """Return all models, the oldest first."""
        with self._database.read() as connection:
            found = connection.execute(select(MODEL).order_by(MODEL.c.created, MODEL.c.id)).all()
        return [ModelRecord(**as_fields(row)) for row in found]

    def history(self, name: str | None = None) -> list[InForce]:
        """Return the times in force under `name` (default: under any), in the order in which they began."""
        query = select(IN_FORCE).order_by(IN_FORCE.c.id.desc())
        with self._database.read() as connection:
            newest_first = connection.execute(query if name is None else query.where(IN_FORCE.c.name == name)).all()
        found: list[InForce] = []
        next_of_name: dict[str, datetime] = {}
        for row in newest_first:
            until = next_of_name.get(row.name)
            found.append(InForce(
                name=row.name, model_id=row.model_id, since=row.since, until=until,
                decided_by=row.decided_by, reason=row.reason,
            ))  # fmt: skip
            next_of_name[row.name] = row.since
        return found[::-1]

    def put_in_force(self, name: str, model_id: str, decided_by: str, reason: str | None = None) -> bool:
        """Put a model in force under `name`, for a reason; False when it is already.

        Raises
        ------
        CatalogError
            There is no such model.
        """
        with self._database.write() as connection:
            # Of two that put the same model in force, the second waits here and then finds it done.
            lock = select(MODEL.c.id).where(MODEL.c.id == model_id).with_for_update()
            if connection.execute(lock).first() is None:
                raise CatalogError(f"expected a recorded model to put in force as {name!r}, got {model_id!r}.")
            if _newest(connection, name) == model_id:
                return False
            row = {"name": name, "model_id": model_id, "decided_by": decided_by, "since": utc_now(), "reason": reason}
            connection.execute(insert(IN_FORCE), row)
            return True

    def record_verdict(self, verdict: VerdictRecord) -> bool:
        """Record what was decided about a training: whether that is new.  A verdict that is there stays."""
        with self._database.write() as connection:
            return insert_once(connection, schema.verdict, row_of(verdict, schema.verdict))

    def verdict(self, identity: str) -> VerdictRecord | None:
        """Return what was decided about the training with that identity, if anything was."""
        return self.verdicts([identity]).get(identity)

    def verdicts(self, identities: Iterable[str]) -> dict[str, VerdictRecord]:
        """Return what was decided about trainings, by their identity; those on which nothing was are left out."""
        return self._find(VerdictRecord, schema.verdict, identities)

    def _model_that_begins(self, identity: str) -> ModelRecord | None:
        if len(identity) < SHORT:
            return None
        query = select(MODEL).where(MODEL.c.id.startswith(identity, autoescape=True)).limit(2)
        with self._database.read() as connection:
            found = connection.execute(query).all()
        return ModelRecord(**as_fields(found[0])) if len(found) == 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceStar:
    """A spectrum of a star, under the name of a line of models."""

    name: str
    normalization_id: str
    obj: str
    chosen_at: datetime


class ReferenceStars(Subject):
    """The reference stars of each line of models."""

    def find(self, name: str) -> list[ReferenceStar]:
        """Return the reference stars of a line of models, in the order of their names."""
        query = select(STAR).where(STAR.c.name == name).order_by(STAR.c.obj, STAR.c.normalization_id)
        with self._database.read() as connection:
            return [ReferenceStar(**as_fields(row)) for row in connection.execute(query)]

    def normalizations(self) -> set[str]:
        """Return the normalisations of all reference stars, of every line of models."""
        with self._database.read() as connection:
            return set(connection.scalars(select(STAR.c.normalization_id)))

    def record(self, stars: Sequence[ReferenceStar]) -> None:
        """Record reference stars; those that are there stay as they are."""
        with self._database.write() as connection:
            for star in sorted(stars, key=lambda star: star.normalization_id):
                insert_once(connection, STAR, row_of(star, STAR))


def _newest(connection: Connection, name: str | None) -> str | None:
    query = select(IN_FORCE.c.model_id).order_by(IN_FORCE.c.id.desc()).limit(1)
    return connection.execute(query if name is None else query.where(IN_FORCE.c.name == name)).scalar()
