"""Regions cut by the neurons of a layer."""
