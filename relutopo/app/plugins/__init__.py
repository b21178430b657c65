"""Hydra plugins of relutopo: a launcher on Ray, a sweeper on Optuna.

Hydra's own plugins for these two need old releases (Optuna before 3), or bring some sixty packages
for clusters in one company's cloud (Ray). These do only what is needed here.
Hydra accepts plugins from packages below ``hydra_plugins`` only.
"""
