"""Statistical models that strategies, stoppers and advice predict with."""
