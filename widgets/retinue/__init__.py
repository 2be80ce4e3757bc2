"""Retinue for notebooks."""
