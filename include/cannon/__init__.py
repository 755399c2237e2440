"""The Cannon: labels of stars from their spectra, by a model that was trained on stars of known labels.

The way of a notebook::

    from include.cannon.continuum import normalize, read_regions
    from include.cannon.model import CannonModel
    from include.cannon.plots import write_plots
    from include.cannon.training_set import TrainingSet

    training_set = TrainingSet.read("training_set.pkl")       # the tutorial's pickle, or .npz; no code in it is run
    model = CannonModel.train(training_set, ["TEFF", "LOGG", "FE_H"])
    result = model.infer(flux, ivar)                          # (N, P) on the model's grid, or give wavelength=
    result.labels, result.errors, result.covariance, result.flags
    write_plots(model, "plots")
    model.write("model.fits")

``flux`` and ``ivar`` are continuum-normalised: :func:`include.cannon.continuum.normalize` makes them from what
:func:`include.apogee.apstar.read_apstar` returns, :func:`include.cannon.continuum.normalize_rows` from plain arrays.

Beside it: :mod:`include.cannon.validation` (what a training's validation found),
:mod:`include.cannon.regularization_path` (how strong a penalty), :mod:`include.cannon.resampling` (bootstrap and
jackknife), :mod:`include.cannon.repeatability` (differences of repeat visits), :mod:`include.cannon.flags` (what may be
wrong with a result, in words).  ``docs/engine.md`` derives what differs from Ness et al. 2015 and Casey et al. 2016.
Nothing here imports Airflow.
"""
