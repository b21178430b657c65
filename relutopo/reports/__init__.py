"""Words and tables in which results are told: what several analyses say in the same way."""
