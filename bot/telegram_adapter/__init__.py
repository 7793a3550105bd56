"""Telegram, by unmodified python-telegram-bot: updates in, the desk's words out."""
