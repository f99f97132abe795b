"""Who is told what, how it is said, and how it gets there."""
