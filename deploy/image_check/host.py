"""The settings of this machine that a chroot needs: package mirror, pip, certificates, caches, LibTorch."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from image_check.report import say

ROOT = Path(__file__).resolve().parents[2]


def debian_mirror() -> str:
    """The first Debian archive among the host's package sources; Debian's own when none is found."""
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    text = "\n".join(file.read_text(errors="replace") for file in files if file.is_file())
    uris = re.findall(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", text, re.MULTILINE)
    archives = [uri for uri in uris if re.search(r"/debian/?$", uri)]
    return archives[0] if archives else "http://deb.debian.org/debian"


def certificates() -> Path | None:
    """The bundle that this host's tools trust, which may hold more than Debian's own."""
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    candidates = [os.environ[name] for name in names if os.environ.get(name)]
    for candidate in (*candidates, "/etc/ssl/certs/ca-certificates.crt"):
        if Path(candidate).is_file():
            return Path(candidate)
    return None


def pip_settings() -> dict[str, str]:
    """The host's pip configuration as PIP_* variables."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    )
    for key, value in re.findall(r"^global\.([\w-]+)='(.*)'$", listing.stdout, re.MULTILINE):
        settings.setdefault("PIP_" + key.upper().replace("-", "_"), value)
    return settings


def lent_torch() -> Path | None:
    """site-packages/torch of GWM_TORCH_ROOT, of build/python, or of the environment that setup.sh keeps."""
    if named := os.environ.get("GWM_TORCH_ROOT"):
        candidates = [Path(named)]
    else:
        cache = Path(os.environ.get("GWM_CACHE_DIR") or Path.home() / ".cache/gwm")
        key = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()[:12]
        inside = "lib/python3.*/site-packages/torch"
        candidates = [*ROOT.glob(f"build/python/{inside}"), *cache.glob(f"python-{key}/{inside}")]
    found = [path.resolve() for path in candidates if (path / "lib/libtorch_cpu.so").exists()]
    return found[0] if found else None


@dataclass
class Host:
    """What the chroot gets from outside."""

    # Folder or file of the host, place in the chroot, writable.
    mounts: list[tuple[Path, str, bool]] = field(default_factory=list)
    # For RUN lines.
    environment: dict[str, str] = field(default_factory=dict)


def make_host(cache: Path, fresh: bool) -> Host:
    host = Host(environment=pip_settings())
    for name, variable, target in (
        ("pip", "PIP_CACHE_DIR", "/var/cache/gwm-pip"),
        ("ccache", "CCACHE_DIR", "/var/cache/gwm-ccache"),
    ):
        source = Path(os.environ.get(variable) or cache / name)
        source.mkdir(parents=True, exist_ok=True)
        host.mounts.append((source, target, True))
        host.environment[variable] = target
    if bundle := certificates():
        # Under another name: installing ca-certificates in the chroot rewrites the usual one.
        host.mounts.append((bundle, "/run/host-certificates.crt", False))
        host.environment["PIP_CERT"] = "/run/host-certificates.crt"
    torch = None if fresh else lent_torch()
    if torch:
        # The libraries beside torch (nvidia/) belong to it.
        host.mounts.append((torch.parent, "/opt/host-torch", False))
        host.environment["GWM_TORCH_ROOT"] = "/opt/host-torch/torch"
        say(f"LibTorch: lent by the host ({torch}); --fresh downloads the pinned wheel instead")
    else:
        say("LibTorch: the pinned wheel will be downloaded (several GB the first time)")
    return host
