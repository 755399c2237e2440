"""What may be wrong with inferred labels: each bit with the sentence that explains it to a person."""

from __future__ import annotations

from apogee_labels.core.bitmask import Bitmask


class ResultFlag(Bitmask):
    """Bits of the flags of a result, and of the column ``result_flags``.

    Bits 0 to 7: there is no measurement, or not of what was asked.  Bits 8 to 15: the labels are to be taken with care.
    Bits 16 to 23: the spectrum itself.  The bits between are free.
    """

    NO_INFORMATION = (1 << 0, "The spectrum has no more informative pixels than the fit has unknowns: labels are NaN.")
    NOT_CONVERGED = 1 << 1, "No start of the fit reached a minimum: the labels are where it stopped."
    SINGULAR = 1 << 2, "The spectrum does not determine all labels: their covariance is NaN."
    AT_BOUND = 1 << 3, "A label is at the edge of the range in which it was sought: it is not a measurement."
    NO_LINES = 1 << 4, "No lines are seen: a featureless spectrum describes it as well, the labels mean nothing."
    SEVERAL_MINIMA = 1 << 8, "Another minimum, elsewhere in the labels, fits about as well."
    OUTSIDE_TRAINING = (
        1 << 9,
        "The labels are outside the training labels' hull (many labels or facets: farther than 99.9 % of the stars): the "
        "model extrapolates.",
    )
    HIGH_CHI_SQUARE = 1 << 10, "The reduced chi-square is above 3: the model does not describe the spectrum."
    UNLIKE_TRAINING_SET = (
        1 << 11,
        "The model leaves more than a fifth of the lines unexplained: the star is unlike those of the training set.",
    )
    FEW_TRAINING_STARS = (
        1 << 12,
        "The model was trained on fewer than 20 stars for each of its terms: formal errors are too small.",
    )
    LOW_SNR = 1 << 16, "The signal-to-noise ratio is below 20 per pixel."
    FEW_PIXELS = 1 << 17, "Less than half of the model's pixels carry information in this spectrum."
    BAD_STARFLAG = 1 << 18, "STARFLAG says that the spectrum is not to be trusted."
    INVALID_PIXELS = (
        1 << 19,
        "Pixels whose inverse variance or flux is impossible (negative, infinite, no number, far too large) were left out.",
    )
