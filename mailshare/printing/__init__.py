"""Print by mail: the virtual printer that programs print to, and what becomes of their jobs."""
