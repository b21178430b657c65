"""How fast relutopo is, beside what one would use instead; ``python -m benchmarks`` runs it all."""
