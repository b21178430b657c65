"""What the three families of enumerators share beside arithmetic."""
