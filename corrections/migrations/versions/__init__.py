"""One module a revision. They are never edited once they are released."""
