"""Words and tables of each analysis, for the terminal."""
