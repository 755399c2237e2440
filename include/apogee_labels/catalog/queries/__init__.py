"""What is asked of the catalogue, a module a subject."""
