"""The one conversation, whatever the platform: ask, answer, confirm, correct, take back."""
