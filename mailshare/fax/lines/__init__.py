"""Lines: what stands between this office and the telephone network, one module for each kind."""
