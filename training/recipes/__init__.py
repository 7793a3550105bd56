"""The recipes: each a module with a frozen ``Recipe`` of values and a function ``run``."""
