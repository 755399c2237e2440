"""What is written to people."""
