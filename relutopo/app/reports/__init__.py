"""Reports of jobs: progress, environment, summaries."""
