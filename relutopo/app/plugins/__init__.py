"""Hydra plugins of relutopo: a launcher on Ray, a sweeper on Optuna.

The plugins of the Hydra project for these two stand on old releases (Optuna before 3), or bring
some sixty packages for clusters in one company's cloud (Ray). These do only what is needed here.
Hydra accepts plugins from packages below ``hydra_plugins`` only.
"""
