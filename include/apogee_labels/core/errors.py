"""The vocabulary of what can go wrong: input that is bad for good, against trouble that may pass.

A :class:`BadInputError` is a *result*: the same bytes will fail in the same way tomorrow, so the input is recorded as
rejected and never retried.  Everything else (``OSError``, a lost database) is raised as it is, and retried by whoever
called.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an input was rejected.  The value is what the catalogue stores."""

    MISSING = "missing"  # listed or asked for, and not there when it was opened
    NOT_A_FILE = "not_a_file"  # a directory, a socket: something with the name of a spectrum
    EMPTY = "empty"  # zero bytes
    UNREADABLE = "unreadable"  # not FITS, or cut short
    WRONG_LAYOUT = "wrong_layout"  # FITS, but the HDUs or their shapes are not those of an apStar file
    WRONG_GRID = "wrong_grid"  # the wavelength keywords are absent or not the apStar grid's
    NO_VISITS = "no_visits"  # no visit is described, or none left a spectrum
    NO_INFORMATION = "no_information"  # every pixel is masked, NaN or without an error
    NO_CONTINUUM = "no_continuum"  # too few good continuum pixels to fit the continuum of any detector
    BAD_TRAINING_SET = "bad_training_set"  # a training set that cannot be read or does not hold together
    BAD_MODEL = "bad_model"  # a model file that cannot be read, or does not fit what it is used for
    NOT_AT_REMOTE = "not_at_remote"  # the remote archive answered that it has no such file


class BadInputError(ValueError):
    """Input that will be just as bad when it is tried again.

    Parameters
    ----------
    reason
        The kind of fault, as recorded in the catalogue.
    message
        One line: what was expected, what came, and what to do.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __reduce__(self) -> tuple[type[BadInputError], tuple[Reason, str]]:
        return type(self), (self.reason, self.message)
