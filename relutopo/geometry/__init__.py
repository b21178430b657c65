"""Networks, domains, and the cell complexes that networks cut their domains into."""
