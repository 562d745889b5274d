"""The middle of the journey: the one door, the router, the queue, agents, reports."""
