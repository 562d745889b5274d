"""The version of the schema that this code works with: the newest in ``migrations/versions``."""

HEAD = "0009"
