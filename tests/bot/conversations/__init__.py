"""The same conversation with every adapter: what a test says is platform-free, the sockets are real."""
