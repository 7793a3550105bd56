"""What can go wrong when a model is made.

TrainingError               one sentence for a terminal
├── PicturesError           the folder of pictures or its table is not as described
├── CollectError            pictures cannot be searched for, or not be kept
├── DatasetWriteError       a folder or table cannot be written; nothing half-written is left
├── BaseError               what was to be trained is no model that can be
├── RecipeError             a value of a recipe is not what it may be
├── RunError                a run ended without a model: numbers that are none, a full disk, forms that differ
└── EvaluationError         a model cannot be measured on these pictures
"""


class TrainingError(Exception):
    """Root of the tree."""


class PicturesError(TrainingError):
    """The pictures are not there, or not what their table says."""


class CollectError(TrainingError):
    """Nothing can be collected: a name without letters, no search page that answers, no room."""


class DatasetWriteError(TrainingError):
    """There is something at that place already, or the disk does not take it."""


class BaseError(TrainingError):
    """What was to be trained is no image classifier, is pickled, or lacks something."""


class RecipeError(TrainingError):
    """There is no such recipe or no such value in it."""


class RunError(TrainingError):
    """The run ended without a model; what it had done so far is kept where it can go on from it."""


class EvaluationError(TrainingError):
    """The model and the pictures have nothing to do with one another, or there is no part to measure on."""
