"""The bit masks of APOGEE spectra, each bit with the sentence that explains it to a person.

The data model is ``APOGEE_PIXMASK``, ``APOGEE_STARFLAG``, ``APOGEE_ASPCAPFLAG`` and ``APOGEE_EXTRATARG`` of the SDSS bit
mask tables; the bits kept their meaning from DR12 to SDSS-V.
"""

from __future__ import annotations

from apogee_labels.core.bitmask import Bitmask


class PixelMask(Bitmask):
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


class StarFlag(Bitmask):
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


class AspcapFlag(Bitmask):
    """Bits of ASPCAPFLAG, what SDSS's own analysis says of a star's labels: below 16 warnings, from 16 on faults."""

    TEFF_WARN = 1 << 0, "The effective temperature may be in doubt."
    LOGG_WARN = 1 << 1, "The surface gravity may be in doubt."
    VMICRO_WARN = 1 << 2, "The microturbulence may be in doubt."
    M_H_WARN = 1 << 3, "The metallicity may be in doubt."
    ALPHA_M_WARN = 1 << 4, "The abundance of the alpha elements may be in doubt."
    C_M_WARN = 1 << 5, "The abundance of carbon may be in doubt."
    N_M_WARN = 1 << 6, "The abundance of nitrogen may be in doubt."
    STAR_WARN = 1 << 7, "One of the warnings that concern the whole star is set."
    CHI2_WARN = 1 << 8, "The best model fits poorly."
    COLORTE_WARN = 1 << 9, "The temperature does not go together with the colour."
    ROTATION_WARN = 1 << 10, "The lines are broad, which may harm the labels."
    SN_WARN = 1 << 11, "The signal-to-noise ratio is low."
    TEFF_BAD = 1 << 16, "The effective temperature is bad."
    LOGG_BAD = 1 << 17, "The surface gravity is bad."
    VMICRO_BAD = 1 << 18, "The microturbulence is bad."
    M_H_BAD = 1 << 19, "The metallicity is bad."
    ALPHA_M_BAD = 1 << 20, "The abundance of the alpha elements is bad."
    C_M_BAD = 1 << 21, "The abundance of carbon is bad."
    N_M_BAD = 1 << 22, "The abundance of nitrogen is bad."
    STAR_BAD = 1 << 23, "One of the faults that concern the whole star is set."
    CHI2_BAD = 1 << 24, "The best model does not fit."
    COLORTE_BAD = 1 << 25, "The temperature contradicts the colour."
    ROTATION_BAD = 1 << 26, "The lines are so broad that the labels are bad."
    SN_BAD = 1 << 27, "The signal-to-noise ratio is too low."
    NO_ASPCAP_RESULT = 1 << 31, "The analysis gave no result."


class ExtraTarget(Bitmask):
    """Bits of EXTRATARG, why an entry of a summary is not one of the main survey."""

    NOT_MAIN = 1 << 0, "The star was not selected for the main survey."
    COMMISSIONING = 1 << 1, "The star was observed in commissioning."
    TELLURIC = 1 << 2, "The star was observed to measure the atmosphere."
    APO1M = 1 << 3, "The star was observed with the 1 m telescope."
    DUPLICATE = 1 << 4, "Another entry of the same star is the better one."


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

UNFIT_STAR = (
    BAD_STAR
    | StarFlag.COMMISSIONING
    | StarFlag.LOW_SNR
    | StarFlag.PERSIST_JUMP_POS
    | StarFlag.PERSIST_JUMP_NEG
    | StarFlag.SUSPECT_BROAD_LINES
    | StarFlag.MULTIPLE_SUSPECT
)
"""A star with any of these bits is no example of its labels: its spectrum is bad, or not that of a single star at rest."""

BAD_ASPCAP = ~((1 << 16) - 1)
"""Labels of a star with any bit of ASPCAPFLAG from 16 on are bad or not there, also where the bit is not in the list."""
