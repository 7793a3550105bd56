"""Which workers on other machines are believed to be what they say, and which addresses lead there."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from model.errors import WorkerMisconfigured

# X509_V_ERR_* of OpenSSL
_NOT_YET, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """What https workers are believed by: the system's CAs, or those of one file instead.

    Raises:
        WorkerMisconfigured: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:  # SSLError is an OSError whose strerror says nothing
        why = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise WorkerMisconfigured(f"worker.ca_file {ca_file} cannot be read: {why}") from None


def beyond_this_machine(address: str) -> bool:
    """Whether what is sent to an address leaves this machine, as far as its text tells."""
    host = urlsplit(address).hostname
    if address.startswith(("unix:", "/")) or not host or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def distrust(address: str, error: Exception) -> str:
    """What is wrong with a certificate, and what to do about it."""
    code = getattr(error, "verify_code", None)
    whose = f"the certificate of the worker at {address}"
    if code == _EXPIRED:
        return f"{whose} has expired: renew it on its machine"
    if code == _NOT_YET:
        return f"{whose} is not valid yet: look at the clocks of both machines"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"{whose} is one for another name: write the name that it was made for in worker.url"
    return f"{whose} is signed by nobody who is trusted here: name its CA's file in worker.ca_file"
