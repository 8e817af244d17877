"""Due work: what happens later, once, whatever crashes in between."""
