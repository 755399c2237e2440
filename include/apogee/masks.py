"""The bit masks of APOGEE spectra, each bit with the sentence that explains it to a person.

The data model is ``APOGEE_PIXMASK`` and ``APOGEE_STARFLAG`` of the SDSS bit mask tables; the bits kept their meaning
from DR12 to SDSS-V.
"""

from __future__ import annotations

from include.explained_flag import ExplainedFlag


class PixelMask(ExplainedFlag):
    """Bits of the mask of a pixel (HDU 3 of an apStar file)."""

    BADPIX = 1 << 0, "The pixel is marked bad in the bad pixel mask, or a strong persistence jump hit it."
    CRPIX = 1 << 1, "A cosmic ray hit the pixel."
    SATPIX = 1 << 2, "The pixel is saturated."
    UNFIXABLE = 1 << 3, "The pixel could not be repaired."
    BADDARK = 1 << 4, "The pixel is bad in the dark frame."
    BADFLAT = 1 << 5, "The pixel is bad in the flat field."
    BADERR = 1 << 6, "The pixel has a very high error: it is outside a detector or was never measured."
    NOSKY = 1 << 7, "No sky fibre gave a sky value for the pixel."
    LITTROW_GHOST = 1 << 8, "The pixel is in the Littrow ghost of the spectrograph and may be affected by it."
    PERSIST_HIGH = 1 << 9, "The pixel is in a region of high persistence and may be affected by it."
    PERSIST_MED = 1 << 10, "The pixel is in a region of medium persistence and may be affected by it."
    PERSIST_LOW = 1 << 11, "The pixel is in a region of low persistence and may be affected by it."
    SIG_SKYLINE = 1 << 12, "A sky line contributes much of the pixel's flux."
    SIG_TELLURIC = 1 << 13, "The atmosphere absorbs much of the light at the pixel."
    NOT_ENOUGH_PSF = 1 << 14, "Less than half of the line-spread function falls on good pixels."


class StarFlag(ExplainedFlag):
    """Bits of the flag of a star or of one visit to it (STARFLAG and FLAGn in the header of an apStar file)."""

    BAD_PIXELS = 1 << 0, "More than a fifth of the spectrum's pixels are bad."
    COMMISSIONING = 1 << 1, "The data are from the commissioning of the instrument, and of lower quality."
    BRIGHT_NEIGHBOR = 1 << 2, "A neighbouring fibre carries a star more than 10 times brighter."
    VERY_BRIGHT_NEIGHBOR = 1 << 3, "A neighbouring fibre carries a star more than 100 times brighter."
    LOW_SNR = 1 << 4, "The signal-to-noise ratio is below 5."
    PERSIST_HIGH = 1 << 9, "More than a fifth of the spectrum's pixels are in a region of high persistence."
    PERSIST_MED = 1 << 10, "More than a fifth of the spectrum's pixels are in a region of medium persistence."
    PERSIST_LOW = 1 << 11, "More than a fifth of the spectrum's pixels are in a region of low persistence."
    PERSIST_JUMP_POS = 1 << 12, "The flux jumps up at the edge of a detector, as persistence makes it."
    PERSIST_JUMP_NEG = 1 << 13, "The flux jumps down at the edge of a detector, as persistence makes it."
    SUSPECT_RV_COMBINATION = 1 << 16, "The velocities from two kinds of template differ: take them with care."
    SUSPECT_BROAD_LINES = 1 << 17, "The lines are much broader than the template's: a rotating star or a binary."
    BAD_RV_COMBINATION = (
        1 << 18,
        "The velocities from two kinds of template differ very much: the spectrum is not to be trusted.",
    )
    RV_REJECT = 1 << 19, "The velocities from two methods disagree: the visit was left out of the combination."
    RV_SUSPECT = 1 << 20, "The velocities from two methods disagree a little: the visit is in the combination."
    MULTIPLE_SUSPECT = 1 << 21, "The spectrum may hold the lines of more than one star."
    RV_FAIL = 1 << 22, "No velocity could be measured."


BAD_PIXEL = (
    PixelMask.BADPIX
    | PixelMask.CRPIX
    | PixelMask.SATPIX
    | PixelMask.UNFIXABLE
    | PixelMask.BADDARK
    | PixelMask.BADFLAT
    | PixelMask.BADERR
    | PixelMask.NOSKY
    | PixelMask.NOT_ENOUGH_PSF
)
"""A pixel with any of these bits carries no information (bits 0 to 7 and 14: 16639)."""

BAD_STAR = StarFlag.BAD_PIXELS | StarFlag.VERY_BRIGHT_NEIGHBOR | StarFlag.BAD_RV_COMBINATION | StarFlag.RV_FAIL
"""Labels of a star with any of these bits are not to be trusted."""
