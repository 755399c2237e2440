"""Whether a model is right: by stars that it has not seen."""
