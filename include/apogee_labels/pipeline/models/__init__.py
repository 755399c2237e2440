"""The life of a model: trained, judged, accepted or refused."""
