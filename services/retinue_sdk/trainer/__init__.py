"""The trainer kit: one HTTP app, launcher and supervisor, shared by every trainer service."""
