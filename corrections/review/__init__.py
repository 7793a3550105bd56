"""What moderators do with corrections: agreement, the queue, decisions, characters, figures."""
