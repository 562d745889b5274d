"""POP3 server factories over the engine, and adapters for Twisted's own avatars."""
