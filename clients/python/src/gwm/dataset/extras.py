"""Libraries that only foreign data sets need."""

from __future__ import annotations

import importlib
from typing import Any


def require(module: str) -> Any:
    """The imported module. Raises ImportError that tells what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"this needs the Python package {package!r} ({error}); run: pip install 'gwm[dataset]'"
        ) from error
