"""The Jupyter server extension: passes the browser through to the platform. A client, never a policy point."""
