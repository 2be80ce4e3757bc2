"""Kills processes of a running hub during trainings, and compares three ledgers afterwards: `python -m tests.faults`."""
