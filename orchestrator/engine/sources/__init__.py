"""What a run reads beside its events, and the files that hold them."""
