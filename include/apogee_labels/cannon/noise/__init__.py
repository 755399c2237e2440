"""What makes labels uncertain beyond the noise of a spectrum."""
