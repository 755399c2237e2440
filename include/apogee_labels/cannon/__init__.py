"""The Cannon: labels of stars from their spectra, by a model that was trained on stars of known labels.

The way of a notebook::

    from apogee_labels.cannon.continuum.normalization import normalize, read_regions
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.plots import write_plots
    from apogee_labels.cannon.training_set import TrainingSet

    training_set = TrainingSet.read("training_set.pkl")       # the tutorial's pickle, or .npz; no code in it is run
    model = CannonModel.train(training_set, ["TEFF", "LOGG", "FE_H"])
    result = model.infer(flux, ivar)                          # (N, P) on the model's grid, or give wavelength=
    result.labels, result.errors, result.covariance, result.flags
    write_plots(model, "plots")
    model.write("model.fits")

``flux`` and ``ivar`` are continuum-normalised: :func:`apogee_labels.cannon.continuum.normalization.normalize` makes
them from what
:func:`apogee_labels.apogee.spectra.apstar.read_apstar` returns,
:func:`apogee_labels.cannon.continuum.normalization.normalize_rows` from plain arrays.

Beside it: :mod:`apogee_labels.cannon.validation.validation` (what a training's validation found),
:mod:`apogee_labels.cannon.validation.regularization_path` (how strong a penalty),
:mod:`apogee_labels.cannon.validation.resampling` (bootstrap and
jackknife), :mod:`apogee_labels.cannon.noise.repeatability` (differences of repeat visits),
:mod:`apogee_labels.cannon.flags` (what may be
wrong with a result, in words).  ``docs/engine.md`` derives what differs from Ness et al. 2015 and Casey et al. 2016.
Nothing here imports Airflow.
"""
