"""What the catalogue knows of the files of a batch, asked once for all of them.

The index of the archive tells which content to expect at each path, and so what its products would be.  Where the content
turns out to be another one, the catalogue is asked about that one by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import ArchiveFile, FileState, NormalizationRecord, NormalizedFile, RejectionRecord
from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.identities import normalization_id

if TYPE_CHECKING:
    from apogee_labels.pipeline.ingest.registration import Glance
    from apogee_labels.pipeline.workspace import Workspace


class KnownFiles:
    """The products and rejections of some contents, as they were when they were looked up.

    What another process records meanwhile is not seen: then the work is done twice, recorded once and counted.

    Parameters
    ----------
    workspace
        The installation.
    parts
        The parameters of the normalisation, as they enter its identity.
    """

    def __init__(self, workspace: Workspace, parts: dict[str, object]) -> None:
        self._workspace, self._parts = workspace, parts
        self._asked: set[str] = set()
        self._entries: dict[str, ArchiveFile] = {}
        self._stars: dict[str, str] = {}
        self._products: dict[str, NormalizationRecord] = {}
        self._rejections: dict[str, RejectionRecord] = {}

    def look_up(self, paths: Sequence[str]) -> None:
        """Ask about the contents that the index expects at these paths."""
        self._entries = self._workspace.catalog.archive.indexed(paths)
        self._ask({entry.digest for entry in self._entries.values() if entry.digest})

    def is_indexed(self, path: str, glance: Glance, content: str) -> bool:
        """Whether the file is on record as it is now, and its content as well."""
        entry = self._entries.get(path)
        if entry is None or entry.state is not FileState.PRESENT or content not in self._stars:
            return False
        return (entry.size, entry.mtime_ns, entry.digest) == (glance.size, glance.mtime_ns, content)

    def complete(self, content: str, identity: str) -> str | None:
        """Return the star of a content whose product is on record and on disk; None when there is work to do.

        Raises
        ------
        BadInputError
            The content, or this normalisation of it, was rejected before.
        """
        if content not in self._asked:
            self._ask({content})
        if fault := self._rejections.get(content) or self._rejections.get(identity):
            raise BadInputError(fault.reason, fault.message)
        if identity not in self._products or not self._workspace.normalized_path(identity).exists():
            return None
        return self._stars.get(content)

    def add(self, made: NormalizedFile) -> None:
        """Take note of what this process has just recorded: the same content may come under another name."""
        self._products[made.normalization.id] = made.normalization
        if made.spectrum:
            self._stars[made.spectrum.digest] = made.spectrum.obj

    def _ask(self, contents: Collection[str]) -> None:
        catalog = self._workspace.catalog
        identities = [normalization_id(content, self._parts) for content in contents]
        self._products |= catalog.normalizations.find(identities)
        self._stars |= {digest: spectrum.obj for digest, spectrum in catalog.spectra.find(contents).items()}
        self._rejections |= catalog.rejections.find([*contents, *identities], READER_VERSION)
        self._asked |= set(contents)
