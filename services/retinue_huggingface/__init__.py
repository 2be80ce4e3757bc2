"""The huggingface trainer: a service of its own, the only code of ours that knows huggingface."""
