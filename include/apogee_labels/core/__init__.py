"""What every layer stands on: errors, identities, files, settings.  Knows nothing of astronomy."""
