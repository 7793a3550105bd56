"""torch and transformers: the reference on any device, and what serves on GPUs.

    networks.py    a bundle's weights as a network, and what is computed around it
    classifier.py  how it is put on a device: `load_torch`, `TorchClassifier`
    runners.py     the network as it is written, or recorded for sizes of batches
    lanes.py       the next batch on its way while one is looked at
    cuda.py        streams, pinned memory and graphs of a GPU
    proving.py     what is compared at every load

On a CPU nothing of the last four happens: torch is the reference there, one batch after the other.
"""

from model.backends.torch.classifier import Plan, TorchClassifier, load_torch
from model.backends.torch.networks import HEAD, LayersHead, WithFeatures

__all__ = ["HEAD", "LayersHead", "Plan", "TorchClassifier", "WithFeatures", "load_torch"]
