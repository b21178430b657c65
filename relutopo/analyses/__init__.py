"""Analyses of training runs."""
