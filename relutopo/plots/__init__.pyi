# The public figures and their homes: read by type checkers, and by
# `relutopo.system.public_names`.

from relutopo.plots.animations import animate as animate
from relutopo.plots.complexes import plot_complex as plot_complex
from relutopo.plots.complexes import plot_complexes as plot_complexes
from relutopo.plots.cycles import plot_cycles as plot_cycles
from relutopo.plots.decisions import plot_decision as plot_decision
from relutopo.plots.figures import save_figure as save_figure
from relutopo.plots.homology import plot_barcode as plot_barcode
from relutopo.plots.homology import plot_betti_curves as plot_betti_curves
from relutopo.plots.homology import plot_persistence_diagram as plot_persistence_diagram
from relutopo.plots.partitions import PartitionedCheckpoint as PartitionedCheckpoint
from relutopo.plots.partitions import plot_partition as plot_partition
from relutopo.plots.partitions import plot_partition_history as plot_partition_history
from relutopo.plots.parts import plot_spectral_embedding as plot_spectral_embedding
from relutopo.plots.scaling import plot_scaling as plot_scaling
from relutopo.plots.segments import plot_crossings as plot_crossings
from relutopo.plots.segments import plot_segment as plot_segment
from relutopo.plots.space import plot_function as plot_function
from relutopo.plots.space import plot_space as plot_space
from relutopo.plots.timelines import plot_spike_timeline as plot_spike_timeline
from relutopo.plots.timelines import plot_timeline as plot_timeline
