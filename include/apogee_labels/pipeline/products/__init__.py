"""Tables and files that people take away, and how long they are kept."""
