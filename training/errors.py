"""What can go wrong when a model is made.

TrainingError               one sentence for a terminal
├── PicturesError           the folder of pictures or its table is not as described
├── CollectError            pictures cannot be searched for, or not be kept
└── DatasetWriteError       a folder or table cannot be written; nothing half-written is left
"""


class TrainingError(Exception):
    """Root of the tree."""


class PicturesError(TrainingError):
    """The pictures are not there, or not what their table says."""


class CollectError(TrainingError):
    """Nothing can be collected: a name without letters, no search page that answers, no room."""


class DatasetWriteError(TrainingError):
    """There is something at that place already, or the disk does not take it."""
