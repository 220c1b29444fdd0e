"""The package's version; pyproject.toml carries the same one."""

VERSION = "0.1.0"
