"""The HTTP API over the control socket, and the manager."""
