"""Tables that the survey publishes: labels of stars, and which star was observed when."""
