"""What an operator does to a bot that is not a conversation: looking after it, keeping it safe."""
