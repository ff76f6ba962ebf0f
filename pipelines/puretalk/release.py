"""Which release of puretalk this is, and where its files are."""

from __future__ import annotations

from pathlib import Path

VERSION = "0.4.0"
PACKAGE_DIR = Path(__file__).parent
