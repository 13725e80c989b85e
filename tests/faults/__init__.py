"""Faults, injected: what a person sees, and that nothing is lost."""
