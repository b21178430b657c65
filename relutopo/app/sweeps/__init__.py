"""Many jobs: progress, tables, summary and figures."""
