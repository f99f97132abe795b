"""LogScale's REST paths, by topic: who asks, what is asked, what is answered."""
