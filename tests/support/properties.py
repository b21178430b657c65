"""How many examples a property is tried on.

The profiles of hypothesis are registered in `tests/conftest.py`: "full", the default, and "quick".
"""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]


def examples(n: int) -> settings:
    """Try a property on `n` examples in the profile "full", on as large a share in others."""
    assert settings.default is not None
    return settings(max_examples=max(1, n * settings.default.max_examples // 100))
