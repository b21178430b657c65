"""The page that a run leaves beside its figures, ``explore.html``."""

from __future__ import annotations

import logging

from relutopo.analyses.base import Analysis, Workplace
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.app.jobs.folder import PAGE
from relutopo.errors import MissingExtraError
from relutopo.explorer.explore import page_of
from relutopo.explorer.runs import is_plane, scene_of_run
from relutopo.reports.conclusion import Conclusion

__all__ = ["save_page"]

_OF_A_RUN, _OF_A_JOB = 30_000, 8_000
"""Regions of all checkpoints in the page of a run, and in that of one of many jobs of a sweep."""
log = logging.getLogger("relutopo")


def save_page(
    analysis: Analysis, place: Workplace, conclusion: Conclusion, *, is_sweep: bool
) -> None:
    """Write the page of a run, unless there is nothing for it to show, or figures are not wanted.

    Parameters
    ----------
    analysis : Analysis
        Which was carried out.
    place : Workplace
    conclusion : Conclusion
        What came of it.
    is_sweep : bool
        Whether there are many such runs: their pages are small.
    """
    if not place.draws_figures or not isinstance(analysis, CheckpointAnalysis):
        return
    if place.dataset.dim < 2:
        return
    if not analysis.needs_complex:
        log.info(
            "there is no page, as the networks were not cut into regions; relutopo explore %s "
            "does that",
            place.directory,
        )
        return
    table = conclusion.tables["results"]
    most = _OF_A_JOB if is_sweep else _OF_A_RUN
    n_regions = 0  # of a plane that the page takes by itself they are not known
    if "n_regions" in table.columns and is_plane(analysis, place.dataset):
        n_regions = int(table["n_regions"].iloc[-1])
    if n_regions > most:
        log.info(
            "the page is left out, as its %d regions would make it large; relutopo explore %s",
            n_regions,
            place.directory,
        )
        return
    log.info("making the page")
    with place.stage("page"):
        try:
            scene = scene_of_run(place.run, analysis=analysis, table=table, most_regions=most)
            page_of(scene).save(place.directory / PAGE)
            if "slice" in scene.facts:
                log.info("%s", scene.facts["slice"])
        except MissingExtraError as error:
            log.info("there is no page: %s", error)
