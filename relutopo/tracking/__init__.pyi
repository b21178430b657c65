# The public name and its home: read by type checkers, and by `relutopo.system.public_names`.

from relutopo.tracking.tracker import Tracker as Tracker
