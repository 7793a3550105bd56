"""Discord, by unmodified discord.py: events in, the desk's words out."""
