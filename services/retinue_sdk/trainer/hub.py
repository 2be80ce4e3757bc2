"""Whether the Hugging Face hub, from which timm and transformers fetch weights, is there at all."""

from __future__ import annotations

import os
import socket


def hub_answers(timeout: float = 2.0) -> bool:
    """Whether it can be reached; False also when the operator has switched it off."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").split("//")[-1].split("/")[0]
    name, _, port = host.partition(":")
    try:
        socket.create_connection((name, int(port or 443)), timeout).close()
    except (OSError, ValueError):
        return False
    return True
