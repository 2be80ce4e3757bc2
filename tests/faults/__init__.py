"""Kills and full disks: of a hub's services during trainings, and of what makes datasets: `python -m tests.faults`."""
