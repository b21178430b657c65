"""Code that the three families of enumerators share, besides arithmetic."""
