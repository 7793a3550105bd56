"""What can go wrong when a model is made.

TrainingError               one sentence for a terminal
└── PicturesError           the folder of pictures or its table is not as described
"""


class TrainingError(Exception):
    """Root of the tree."""


class PicturesError(TrainingError):
    """The pictures are not there, or not what their table says."""
