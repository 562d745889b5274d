"""What happened: the per-day log and the counters."""
