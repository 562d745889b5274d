"""Who may come in: realms, checkers, credentials, throttling."""
