"""Training: the coefficients and the intrinsic scatter of every pixel."""
