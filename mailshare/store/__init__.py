"""The only memory: one schema, several engines."""
