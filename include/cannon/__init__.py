"""The Cannon: labels of stars from their spectra, by a model that was trained on stars of known labels.

The way of a notebook: :func:`include.cannon.continuum.normalize`, :meth:`include.cannon.training_set.TrainingSet.read`,
:meth:`include.cannon.model.CannonModel.train`, :meth:`include.cannon.model.CannonModel.infer`.
"""
