"""The platform API: projects, datasets, jobs, live updates, and all authority."""
