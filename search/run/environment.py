"""The versions and the hardware that a run was made with. No personal data."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from primeval.evaluators.units import rough_bytes
from primeval.search.run.store import Store

PACKAGES = ("primeval", "tensorflow", "keras", "ray", "numpy", "sentencepiece")
META = "environment"


def environment() -> dict[str, str]:
    """Versions and hardware by name; imports none of the packages."""
    from importlib import metadata  # slow to import

    import psutil

    found = {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": rough_bytes(psutil.virtual_memory().total),
    }
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def read_environment(store: Store) -> dict[str, str]:
    """What was noted when the run was made. Raises RunError if the store is damaged."""
    found = store.parsed(store.meta(META), dict)
    return {str(name): str(text) for name, text in found.items()}


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2] for line in text.splitlines() if "model name" in line]
    return names[0].strip() if names else "unknown processor"
