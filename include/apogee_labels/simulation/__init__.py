"""A synthetic observatory: apStar archives and training sets of invented stars, for the demo and the tests."""
