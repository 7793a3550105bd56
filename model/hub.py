"""Models from the Hugging Face hub and to it, or to whatever ``HF_ENDPOINT`` names instead of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from model.errors import BackendMissing, BundleDamaged, BundleError, BundleMissing

PATTERNS = ["config.json", "preprocessor_config.json", "manifest.json", "model*.safetensors*", "model.onnx"]
"""All that is downloaded: never a pickle, never code."""
CARD = "README.md"


def fetch(name: str, models_dir: Path, progress: Callable[[str, float], None] | None = None) -> Path:
    """Download a model, or find it in the cache; retries and resuming are the library's.

    Args:
        name: ``OWNER/NAME``, with ``@REVISION`` if it is not to be the newest one.
        models_dir: the cache is its folder ``hub``.
        progress: called with what is being done, at its beginning and end.

    Returns:
        the folder with the model's files. When the hub cannot be reached it is the copy that was
        downloaded last.

    Raises:
        BundleMissing: the hub has no such model, or cannot be reached and there is no copy.
        BackendMissing: huggingface_hub is not installed.
    """
    repository, _, revision = name.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise BundleError(f"hub:{name} is not of the form hub:OWNER/NAME")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
        from huggingface_hub.utils.tqdm import tqdm
    except ImportError:
        raise BackendMissing(f"hub:{name} needs huggingface_hub: pip install 'whosthat[training]'") from None
    endpoint = _endpoint()
    what = f"downloading {repository}"
    tell = progress or (lambda what, share: None)
    tell(what, 0.0)

    class Bar(tqdm):
        """The library's own bar, told to `progress` rather than drawn."""

        def display(self, *_: object, **__: object) -> None:
            if self.total:
                tell(what, min(1.0, self.n / self.total))

    try:
        folder = snapshot_download(
            repository,
            revision=revision or None,
            cache_dir=models_dir / "hub",
            allow_patterns=PATTERNS,
            tqdm_class=Bar,
            endpoint=endpoint,
        )
    except GatedRepoError as error:
        raise BundleMissing(f"accept the terms of {endpoint}/{repository} first") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise BundleMissing(f"{endpoint} has no model {name}, or it is private") from error
    except HFValidationError as error:
        raise BundleError(f"hub:{name} is not of the form hub:OWNER/NAME") from error
    except LocalEntryNotFoundError as error:
        raise BundleMissing(
            f"{endpoint} cannot be reached, and {repository} was not downloaded before"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BundleMissing(f"{repository} could not be downloaded from {endpoint}: {first}") from error
    if not (Path(folder) / "config.json").is_file():
        raise BundleDamaged(f"{repository} is no model of transformers: it has no config.json")
    tell(what, 1.0)
    return Path(folder)


def push(
    folder: Path, name: str, *, private: bool = True, progress: Callable[[str, float], None] | None = None
) -> str:
    """Upload a bundle with its card as a model, made there first if need be, in one commit.

    The token comes from the variable ``HF_TOKEN`` alone, and is never said.

    Args:
        name: ``OWNER/NAME``.
        private: whether a model that is made shows to its owner alone; one that is there stays as it is.
        progress: called with what is being done, at its beginning and end.

    Returns:
        The address of the commit.

    Raises:
        BundleError: it cannot be uploaded; one sentence.
    """
    from model.bundle import MANIFEST, read_bundle, sha256_of

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise BundleError(f"{name} is not of the form OWNER/NAME")
    bundle = read_bundle(folder)
    if not (folder / CARD).is_file():
        raise BundleError(f"{folder} has no card ({CARD}), and a model without one helps nobody")
    files = bundle.manifest.get("files", {})
    for file, expected in files.items():
        if sha256_of(folder / file) != expected["sha256"]:
            raise BundleDamaged(f"{folder / file} is not the file that its manifest describes")
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        raise BundleError("set HF_TOKEN to a token of yours that may write (Settings, Access Tokens)")
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise BackendMissing("uploading needs huggingface_hub: pip install 'whosthat[training]'") from None
    endpoint = _endpoint()
    tell = progress or (lambda what, share: None)
    tell(f"uploading {name}", 0.0)
    disable_progress_bars()
    api = HfApi(endpoint=endpoint, token=token)
    try:
        api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=[*files, MANIFEST, CARD] if files else [*PATTERNS, CARD],
            commit_message=f"whosthat {bundle.info.id}",
        )
    except HFValidationError as error:
        raise BundleError(f"{name} is not of the form OWNER/NAME") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise BundleError(f"{endpoint} does not let this token write to {name}") from error
        raise BundleError(f"{name} could not be uploaded to {endpoint}: {_first(error, token)}") from error
    except Exception as error:  # of the network, by whatever library the hub's one uses
        raise BundleError(f"{name} could not be uploaded to {endpoint}: {_first(error, token)}") from error
    tell(f"uploading {name}", 1.0)
    return str(done.commit_url)


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def _first(error: Exception, token: str) -> str:
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    return first.replace(token, "[secret]")
