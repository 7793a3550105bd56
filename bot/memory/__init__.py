"""What people said of pictures, and what follows from it for the next one: the part that learns at once.

``engine`` holds what is remembered and answers with it; ``copies`` finds the very same picture however it
was cut or framed; ``kernel`` lets pictures that are like it lean. NumPy alone: no database, no model.
"""
