"""SMTP server factories over the engine, gates, and adapters for Twisted's own avatars."""
