"""Where arrays live: in the computer's memory, or on a card."""
