"""What is known of a content: the rule by which everybody decides what is done and what is due.

A content has its result, or was rejected, or is normalised, or nothing is known of it; the first that holds counts.  The
same rule, as SQL for many nights at once, is in :mod:`apogee_labels.catalog.queries.states`; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from apogee_labels.catalog.db.rows import Subject
from apogee_labels.catalog.queries.normalizations import Normalizations
from apogee_labels.catalog.queries.rejections import Rejections
from apogee_labels.catalog.queries.results import Results
from apogee_labels.catalog.records import Expected, FileStatus, NormalizationRecord, RejectionRecord

ExpectedOf = Callable[[str, str | None], Expected]
"""``expected(digest, model_id)``: the identities that the products of a content have by certain parameters."""


class KnownContent(NamedTuple):
    """What is known of a content: DONE, REJECTED, NORMALIZED or DUE, and by what.

    ``normalization`` is asked for only where there is no result.
    """

    status: FileStatus
    expected: Expected
    normalization: NormalizationRecord | None = None
    rejection: RejectionRecord | None = None


class Contents(Subject):
    """What is known of contents, and of paths that have none."""

    def known(
        self, subjects: Iterable[str], expected: ExpectedOf, model_id: str | None, reader_version: str
    ) -> dict[str, KnownContent]:
        """Return what is known of each subject, in at most three statements for some thousands.

        Parameters
        ----------
        subjects
            Digests of contents; of a path without content, its :func:`~apogee_labels.catalog.records.subject_of_path`.
        expected
            ``expected(digest, model_id)``: the identities that the products of a content have.
        model_id
            By which model a result counts; None: by none, and nothing is DONE.
        reader_version
            The version of the reader whose rejections count.
        """
        products = {subject: expected(subject, model_id) for subject in subjects}
        results = Results(self._database).existing(each.result_id for each in products.values() if each.result_id)
        known = {subject: KnownContent(FileStatus.DONE, each) for subject, each in products.items()}
        others = {subject: each for subject, each in products.items() if each.result_id not in results}
        normalization_ids = [each.normalization_id for each in others.values()]
        normalizations = Normalizations(self._database).find(normalization_ids)
        rejections = Rejections(self._database).find([*others, *normalization_ids], reader_version)
        for subject, each in others.items():
            made = normalizations.get(each.normalization_id)
            # A content is rejected as such, or only this normalisation of it.
            rejection = rejections.get(subject) or rejections.get(each.normalization_id)
            undecided = FileStatus.NORMALIZED if made else FileStatus.DUE
            known[subject] = KnownContent(FileStatus.REJECTED if rejection else undecided, each, made, rejection)
        return known
