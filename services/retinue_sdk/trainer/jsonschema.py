"""jsonschema without two of its format checkers: one takes over a second to build a grammar, where it is installed.

A trainer service answers within a second of its start, and checks no formats.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_hidden = [name for name in ("rfc3987_syntax", "isoduration") if name not in _modules]
for _name in _hidden:
    _modules[_name] = None  # an import of it fails, and jsonschema goes on without

from jsonschema import Draft202012Validator  # noqa: E402  # after hiding the above
from jsonschema.exceptions import ValidationError  # noqa: E402  # the same

for _name in _hidden:
    del _modules[_name]

__all__ = ["Draft202012Validator", "ValidationError"]
