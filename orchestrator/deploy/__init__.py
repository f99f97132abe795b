"""Rules as remote assets: what should be there, what is, and getting from one to the other."""
