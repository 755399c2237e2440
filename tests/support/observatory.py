"""An observatory whose nights are those of the real log: it writes apStar files, late, again, broken, bit by bit.

What it wrote is on its ledger, content by content, from which tests know what must have become of each.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from apogee_labels.simulation.damage import Damage, damage

Plate = dict[str, Any]
RELEASE, APRED = "dr16", "r12"  # the smallest files
SOUTH = -35.0
"""Declination (degrees) below which the log's plates are LCO's, as make_nights.py has it."""


@dataclass(frozen=True)
class Content:
    """One content that a file had: its star, its visits, and what is wrong with it."""

    digest: str
    path: Path
    obj: str
    telescope: str
    mjds: tuple[int, ...]
    damage: Damage | None = None


@dataclass
class Observatory:
    """The telescopes, the plates that they have, and the archive.

    Parameters
    ----------
    make_nights
        The module of the realistic input.
    root
        Of the archive.
    plates
        As ``make_nights.plates()`` returns them.
    stars_a_plate
        How many of a plate's stars are observed.
    """

    make_nights: ModuleType
    root: Path
    plates: Sequence[Plate]
    stars_a_plate: int = 2
    ledger: list[Content] = field(default_factory=list)
    reduced: set[tuple[str, int]] = field(default_factory=set)
    """Nights (telescope, MJD) whose visits are in files."""

    def stars(self, telescope: str, mjd: int) -> list[tuple[Any, Plate]]:
        """The stars that a telescope observed on a night, each with its plate."""
        plates = [plate for plate in self.plates if telescope_of(plate) == telescope and mjd in plate["mjds"]]
        return [(star, plate) for plate in plates for star in self._stars_of(plate)]

    def reduce(
        self,
        telescope: str,
        mjds: Sequence[int],
        *,
        skip: Iterable[Path] = (),
        later: Sequence[int] = (),
        before: Callable[[Content], None] = lambda _: None,
    ) -> list[Content]:
        """Write the files of nights, one night after the other; a star of several of them once, on the last.

        Parameters
        ----------
        telescope, mjds
            The nights, in their order.
        skip
            Files that are left out.
        later
            Nights that come soon after: a star of theirs is left to them.
        before
            Called with the content that a file has, before it is written anew.
        """
        written: list[Content] = []
        for place, mjd in enumerate(mjds):
            self.reduced.add((telescope, mjd))
            soon = {star.obj for after in (*mjds[place + 1 :], *later) for star, _ in self.stars(telescope, after)}
            for star, plate in self.stars(telescope, mjd):
                if star.obj in soon or (path := self.path(star, plate)) in skip:
                    continue
                if there := self.newest().get(path):
                    before(there)
                written.append(self.write(star, plate))
        return written

    def write(self, star: Any, plate: Plate, *, also: Iterable[int] = ()) -> Content:
        """Write a star's file with all its visits so far, and those of other nights that are asked for."""
        path, telescope = self.path(star, plate), telescope_of(plate)
        mjds = tuple(sorted({*self.visits(star, plate), *also}))
        visits = [self.make_nights.visit(star, plate, mjd) for mjd in mjds]
        self.make_nights.write_apstar(path, star, plate, visits, RELEASE, telescope, APRED)
        return self._enter(path, star.obj, telescope, mjds)

    def spoil(self, content: Content, kind: Damage, *, unseen: bool = False) -> Content:
        """Replace a file by a damaged one; where nobody has looked yet (`unseen`) it never was any other."""
        damage(content.path, kind)
        if unseen:
            self.ledger.remove(content)
        mjds = () if kind is Damage.EMPTY else content.mjds
        return self._enter(content.path, content.obj, content.telescope, mjds, kind)

    def begin(self, star: Any, plate: Plate, mjd: int) -> GrowingFile:
        """Begin to write a star's file, which grows until it is finished; then it is on the ledger.

        The whole file is there for a moment: nobody may look yet.
        """
        content = self.write(star, plate, also=[mjd])
        self.ledger.remove(content)
        return GrowingFile(content, self.ledger)

    def visits(self, star: Any, plate: Plate) -> tuple[int, ...]:
        """The MJDs of a star's visits that are reduced."""
        telescope = telescope_of(plate)
        return tuple(sorted(mjd for mjd in _mjds_of(self.plates, plate) if (telescope, mjd) in self.reduced))

    def path(self, star: Any, plate: Plate) -> Path:
        """Where a star's file belongs."""
        path = self.make_nights.apstar_path(self.root, RELEASE, star, plate, telescope_of(plate), APRED)
        return Path(path)

    def newest(self) -> dict[Path, Content]:
        """The content that each file has now, or had when it disappeared."""
        return {content.path: content for content in self.ledger}

    def _stars_of(self, plate: Plate) -> list[Any]:
        return list(self.make_nights.stars_of(plate, self.stars_a_plate, seed=1))

    def _enter(
        self, path: Path, obj: str, telescope: str, mjds: tuple[int, ...], damage: Damage | None = None
    ) -> Content:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content = Content(digest, path, obj, telescope, mjds, damage)
        self.ledger.append(content)
        return content


class GrowingFile:
    """A file that a slow program writes, a few bytes every tenth of a second, until it is told to finish."""

    def __init__(self, content: Content, ledger: list[Content]) -> None:
        self.content, self._ledger = content, ledger
        self._whole = content.path.read_bytes()
        self._position = len(self._whole) // 3
        content.path.write_bytes(self._whole[: self._position])
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._grow, daemon=True)
        self._thread.start()

    def finish(self) -> Content:
        """Write the rest."""
        self._end.set()
        self._thread.join()
        with self.content.path.open("ab") as stream:
            stream.write(self._whole[self._position :])
        self._ledger.append(self.content)
        return self.content

    def _grow(self) -> None:
        while not self._end.wait(0.1) and self._position + 32 < len(self._whole):
            with self.content.path.open("ab") as stream:
                stream.write(self._whole[self._position : self._position + 32])
            self._position += 32


def telescope_of(plate: Plate) -> str:
    """The telescope that observes a plate."""
    return "lco25m" if plate["dec"] < SOUTH else "apo25m"


def choose_plates(plates: Sequence[Plate], mjds: Sequence[int], limits: dict[str, int]) -> list[Plate]:
    """Cut the log to some nights: on each at most so many plates a telescope, rather those of fields seen again.

    Each plate has the visits of these nights alone.
    """
    chosen: dict[int, Plate] = {}
    for mjd in mjds:
        for telescope, limit in limits.items():
            here = [plate for plate in plates if mjd in plate["mjds"] and telescope_of(plate) == telescope]
            here.sort(key=lambda plate: -len(set(_mjds_of(plates, plate)) & set(mjds)))
            for plate in here[:limit]:
                chosen.setdefault(plate["plate"], {**plate, "mjds": []})["mjds"].append(mjd)
    return list(chosen.values())


def _mjds_of(plates: Sequence[Plate], plate: Plate) -> set[int]:
    """The nights of all plates of a plate's field."""
    return {mjd for other in plates if other["location"] == plate["location"] for mjd in other["mjds"]}
