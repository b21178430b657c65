"""Text, tables and fitted laws of reports, shared by all analyses."""
